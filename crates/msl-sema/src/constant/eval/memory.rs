//! Objects that exist while an expression is evaluated: reading and writing parts of them.

use msl_base::Span;

use super::*;

impl Machine<'_, '_> {
    fn read(&mut self, p: &Pointer, span: Span) -> Eval<Const> {
        let global;
        let (mut value, mut at) = match p.object {
            Object::Memory(i) => match self.memory.get(i) {
                Some((v, t)) => (v, *t),
                None => return fail(span, "this object no longer exists"),
            },
            Object::Global(g) => match self.c.global_values.get(&g) {
                Some(v) => {
                    global = v.clone();
                    (&*global, self.c.program.globals[g].ty)
                }
                None => return fail(span, "the value of this variable is not known while compiling"),
            },
        };
        for (k, index) in p.path.iter().enumerate() {
            let Some(next) = component_type(self.c, at, *index) else {
                return fail(span, "this reads outside of an object");
            };
            let i = *index as usize;
            value = match value {
                Const::Aggregate(items) if i < items.len() => &items[i],
                Const::Vector(items) if i < items.len() && k + 1 == p.path.len() => return Ok(Const::Scalar(items[i])),
                Const::Union(field, v) if u64::from(*field) == *index => v,
                Const::Union(field, v) => {
                    // Another member than the one written: the same bytes.
                    let (field, v) = (u64::from(*field), (**v).clone());
                    let member = self.reread_union(&v, at, field, next, span)?;
                    let rest =
                        Pointer { object: Object::Memory(self.allocate(member, next)), path: p.path[k + 1..].to_vec() };
                    return self.read(&rest, span);
                }
                Const::Uninit => return fail(span, "this has no value yet"),
                _ => return fail(span, "this reads outside of an object"),
            };
            at = next;
        }
        match value {
            Const::Uninit => fail(span, "this has no value yet"),
            v => {
                let v = v.clone();
                self.charge(&v, span)?;
                Ok(v)
            }
        }
    }

    fn reread_union(&mut self, v: &Const, union: Ty, field: u64, wanted: Ty, span: Span) -> Eval<Const> {
        let Some(from) = component_type(self.c, union, field) else {
            return fail(span, "this reads outside of an object");
        };
        let found = self.c.value_bytes(v, from).filter(|(_, pointers)| pointers.is_empty());
        let Some((mut bytes, _)) = found else {
            return fail(span, "a pointer has no bits while compiling");
        };
        bytes.resize(self.c.size_of(union) as usize, 0);
        match self.c.value_from_bytes(&bytes, wanted) {
            Some(v) => Ok(v),
            None => fail(span, "this member of the union is not the one with a value"),
        }
    }

    fn write(&mut self, p: &Pointer, mut value: Const, span: Span) -> Eval<()> {
        let Object::Memory(i) = p.object else {
            return fail(span, "this changes a constant");
        };
        let Some((_, mut ty)) = self.memory.get(i).cloned() else {
            return fail(span, "this object no longer exists");
        };
        // Types along the path first: the tree below is borrowed while walking.
        let mut types = vec![ty];
        for index in &p.path {
            match component_type(self.c, ty, *index) {
                Some(t) => ty = t,
                None => return fail(span, "this writes outside of an object"),
            }
            types.push(ty);
        }
        let (c, memory) = (&mut *self.c, &mut self.memory);
        let mut slot = &mut memory[i].0;
        for (k, index) in p.path.iter().enumerate() {
            let index = *index as usize;
            if matches!(slot, Const::Uninit) {
                *slot = c.uninit_value(types[k]);
            }
            if k + 1 == p.path.len() {
                value = kept_bits(c, types[k], index, value);
            }
            match slot {
                Const::Aggregate(items) if index < items.len() => slot = &mut items[index],
                Const::Vector(items) if index < items.len() && k + 1 == p.path.len() => {
                    let Const::Scalar(bits) = value else {
                        return fail(span, "this writes something else than a scalar");
                    };
                    items[index] = bits;
                    return Ok(());
                }
                Const::Union(field, v) => {
                    if *field as usize != index {
                        *field = index as u32;
                        **v = c.uninit_value(types[k + 1]);
                    }
                    slot = v;
                }
                _ => return fail(span, "this writes outside of an object"),
            }
        }
        *slot = value;
        Ok(())
    }

    pub(super) fn read_place(&mut self, place: &Place, span: Span) -> Eval<Const> {
        match place {
            Place::At(p) => self.read(p, span),
            Place::Swizzle(p, components) => {
                let value = self.read(p, span)?;
                swizzle(&value, components, span)
            }
        }
    }

    pub(super) fn write_place(&mut self, place: &Place, value: Const, span: Span) -> Eval<()> {
        match place {
            Place::At(p) => self.write(p, value, span),
            Place::Swizzle(p, components) => {
                let items = match value {
                    Const::Vector(items) => items,
                    Const::Scalar(b) => vec![b],
                    _ => return fail(span, "this writes something else than a vector"),
                };
                for (c, bits) in components.iter().zip(items) {
                    let mut p = p.clone();
                    p.path.push(u64::from(*c));
                    self.write(&p, Const::Scalar(bits), span)?;
                }
                Ok(())
            }
        }
    }
}

/// What a field keeps of a value: of bit-fields, its bits.
pub(super) fn kept_bits(c: &Checker<'_>, ty: Ty, field: usize, value: Const) -> Const {
    let TyKind::Class(class) = *c.kind(ty) else { return value };
    let Some(field) = c.program.classes[class].fields.get(field) else { return value };
    match (field.bits, value) {
        (Some(bits), Const::Scalar(v)) => {
            let scalar = match *c.kind(field.ty) {
                TyKind::Enum(e) => Some(c.program.enums[e].underlying),
                _ => c.program.types.as_scalar(field.ty),
            };
            let s = scalar.unwrap_or(Scalar::UInt);
            Const::Scalar(crate::constant::truncate(bits.keep(v, s.is_signed()), s))
        }
        (_, value) => value,
    }
}

fn component_type(c: &Checker<'_>, ty: Ty, index: u64) -> Option<Ty> {
    match *c.kind(ty) {
        TyKind::Array { element, .. } => Some(element),
        TyKind::Vector(s, _) | TyKind::PackedVector(s, _) => Some(Ty::scalar(s)),
        TyKind::Class(class) => c.program.classes[class].fields.get(index as usize).map(|f| f.ty),
        _ => None,
    }
}

fn swizzle(value: &Const, components: &[u8], span: Span) -> Eval<Const> {
    let Const::Vector(items) = value else { return fail(span, "this is not known while compiling") };
    let picked: Option<Vec<u64>> = components.iter().map(|c| items.get(usize::from(*c)).copied()).collect();
    match picked {
        Some(p) if p.len() == 1 => Ok(Const::Scalar(p[0])),
        Some(p) => Ok(Const::Vector(p)),
        None => fail(span, "this reads outside of a vector"),
    }
}
