//! Bit-fields: read and written through the bytes that hold them, and no others.
//!
//! The bytes are read in pieces that lie as integers of their size lie in memory, so that neighbors that are no
//! bit-fields, which may belong to other threads, are never written.

use msl_ir as ir;
use msl_sema::hir::Bits;
use msl_sema::types::Ty;

use crate::function::FunctionLowerer;
use crate::lvalue::Memory;

/// Some of the bits: `width` ones from bit `shift` of the integer at a byte of the bit-field on.
struct Piece {
    byte: u64,
    scalar: ir::Scalar,
    shift: u32,
    width: u32,
}

fn pieces(bits: Bits) -> Vec<Piece> {
    let first = bits.start / 8;
    let end = first + bits.byte_count();
    let mut out = Vec::new();
    let mut at = first;
    while at < end {
        let (size, scalar) = [(8, ir::Scalar::U64), (4, ir::Scalar::U32), (2, ir::Scalar::U16), (1, ir::Scalar::U8)]
            .into_iter()
            .find(|(size, _)| at.is_multiple_of(*size) && at + size <= end)
            .unwrap_or((1, ir::Scalar::U8));
        let low = bits.start.max(at * 8);
        let high = (bits.start + u64::from(bits.width)).min((at + size) * 8);
        out.push(Piece { byte: at - first, scalar, shift: (low - at * 8) as u32, width: (high - low) as u32 });
        at += size;
    }
    out
}

impl FunctionLowerer<'_, '_> {
    fn piece(&mut self, memory: Memory, piece: &Piece) -> Memory {
        let index = self.constant_u32(piece.byte as u32);
        let byte = self.element(memory, index);
        let space = self.cx.module.types.pointee(self.type_of(byte.ptr)).map_or(ir::AddressSpace::Thread, |(s, _)| s);
        let scalar = self.scalar_type(piece.scalar);
        let pointer = self.cx.module.types.pointer(space, scalar);
        let ptr = self.pointer_cast(byte.ptr, pointer);
        Memory { ptr, ..byte }
    }

    fn shifted(&mut self, op: ir::BinaryOp, value: ir::ValueId, by: u32) -> ir::ValueId {
        if by == 0 {
            return value;
        }
        let ty = self.type_of(value);
        let by = self.constant(u64::from(by), ty);
        self.emit(ir::Op::Binary(op, value, by), ty)
    }

    pub fn load_bits(&mut self, memory: Memory, bits: Bits, ty: Ty) -> ir::ValueId {
        let to = self.cx.value_type(ty);
        let scalar = self.cx.module.types.scalar_of(to).unwrap_or(ir::Scalar::U32);
        let is_wide = bits.width > 32;
        let (unsigned, signed) =
            if is_wide { (ir::Scalar::U64, ir::Scalar::I64) } else { (ir::Scalar::U32, ir::Scalar::I32) };
        let word = self.scalar_type(unsigned);
        let mut whole: Option<ir::ValueId> = None;
        let mut done = 0;
        for piece in pieces(bits) {
            let at = self.piece(memory, &piece);
            let loaded = self.load_memory(at);
            let loaded = if piece.scalar == ir::Scalar::U64 {
                // The bits wanted may be few, but begin anywhere.
                let moved = self.shifted(ir::BinaryOp::Shr, loaded, piece.shift);
                self.convert_to(moved, unsigned)
            } else {
                let wide = self.convert_to(loaded, unsigned);
                self.shifted(ir::BinaryOp::Shr, wide, piece.shift)
            };
            let placed = self.shifted(ir::BinaryOp::Shl, loaded, done);
            done += piece.width;
            whole = Some(match whole {
                Some(before) => self.emit(ir::Op::Binary(ir::BinaryOp::Or, before, placed), word),
                None => placed,
            });
        }
        let Some(mut value) = whole else { return self.constant(0, to) };
        // The sign, or zeros, into what is left of the word.
        let unused = if is_wide { 64 } else { 32 } - bits.width;
        let is_signed = matches!(scalar, ir::Scalar::I8 | ir::Scalar::I16 | ir::Scalar::I32 | ir::Scalar::I64);
        value = self.shifted(ir::BinaryOp::Shl, value, unused);
        if is_signed {
            value = self.convert_to(value, signed);
        }
        value = self.shifted(ir::BinaryOp::Shr, value, unused);
        self.convert_value(value, to)
    }

    pub fn store_bits(&mut self, memory: Memory, bits: Bits, value: ir::ValueId) {
        let value = self.convert_to(value, ir::Scalar::U64);
        let mut done = 0;
        for piece in pieces(bits) {
            let at = self.piece(memory, &piece);
            let ty = self.scalar_type(piece.scalar);
            let part = self.shifted(ir::BinaryOp::Shr, value, done);
            let part = self.convert_to(part, piece.scalar);
            done += piece.width;
            let size = self.cx.module.types.size_of(ty) as u32 * 8;
            if piece.width == size {
                self.store_memory(at, part);
                continue;
            }
            let mask = (u64::MAX >> (64 - piece.width)) << piece.shift;
            let kept = u64::MAX >> (64 - size) & !mask;
            let old = self.load_memory(at);
            let kept = self.constant(kept, ty);
            let others = self.emit(ir::Op::Binary(ir::BinaryOp::And, old, kept), ty);
            let part = self.shifted(ir::BinaryOp::Shl, part, piece.shift);
            let mask = self.constant(mask, ty);
            let part = self.emit(ir::Op::Binary(ir::BinaryOp::And, part, mask), ty);
            let new = self.emit(ir::Op::Binary(ir::BinaryOp::Or, others, part), ty);
            self.store_memory(at, new);
        }
    }
}
