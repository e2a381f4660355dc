//! `include/pymetallic.h` says exactly what the library exports: functions with their types, structures and numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use metallic::hal::pixel_format;

/// The functions of the Swift bridge that programs were written for. `p` is `void *`.
const BRIDGE: &str = "
p metal_get_default_device()
p* metal_get_all_devices()
int32_t metal_get_device_count()
char* metal_device_get_name(p)
bool metal_device_supports_shader_barycentric_coordinates(p)
p metal_device_make_command_queue(p)
p metal_command_queue_make_command_buffer(p)
p metal_device_make_buffer(p, uint64_t, int32_t)
p metal_device_make_buffer_with_bytes(p, const p, uint64_t, int32_t)
p metal_buffer_get_contents(p)
uint64_t metal_buffer_get_length(p)
p metal_device_make_library_with_source(p, const char*)
p metal_library_make_function(p, const char*)
p metal_device_make_compute_pipeline_state(p, p)
p metal_command_buffer_make_compute_command_encoder(p)
void metal_compute_command_encoder_set_compute_pipeline_state(p, p)
void metal_compute_command_encoder_set_buffer(p, p, uint64_t, int32_t)
void metal_compute_command_encoder_set_threadgroup_memory_length(p, uint64_t, int32_t)
void metal_compute_command_encoder_dispatch_threads(p, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t)
void metal_compute_command_encoder_dispatch_threadgroups(p, int32_t, int32_t, int32_t, int32_t, int32_t, int32_t)
void metal_compute_command_encoder_end_encoding(p)
p metal_command_buffer_make_blit_command_encoder(p)
void metal_blit_command_encoder_copy_buffer(p, p, uint64_t, p, uint64_t, uint64_t)
void metal_blit_command_encoder_end_encoding(p)
void metal_command_buffer_commit(p)
void metal_command_buffer_wait_until_completed(p)
int32_t metal_command_buffer_get_status(p)
void metal_buffer_release(p)
void metal_library_release(p)
void metal_function_release(p)
void metal_compute_pipeline_state_release(p)
void metal_command_queue_release(p)
void metal_command_buffer_release(p)
void metal_compute_command_encoder_release(p)
void metal_blit_command_encoder_release(p)
void metal_release_object(p)
char* metal_get_last_error()
";

/// By name: result and parameter types.
type Functions = BTreeMap<String, (String, Vec<String>)>;

/// Without comments.
fn header() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include/pymetallic.h");
    let mut text = std::fs::read_to_string(path).expect("the header exists");
    while let Some(start) = text.find("/*") {
        let end = text[start..].find("*/").expect("comments end") + start + 2;
        text.replace_range(start..end, " ");
    }
    text
}

/// A C type in one spelling: handles are what they are, `void*`.
fn canonical_c(words: &str) -> String {
    let spaced = words.replace('*', " * ");
    let words = spaced.split_whitespace().map(|word| {
        if word.starts_with("metal_") && word.ends_with("_t") { "void*".to_string() } else { word.to_string() }
    });
    words.collect::<Vec<_>>().join(" ").replace(" *", "*")
}

/// `type name` → type, name.
fn split_name(declaration: &str) -> (String, String) {
    let declaration = declaration.trim();
    let start = declaration.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |i| i + 1);
    (canonical_c(&declaration[..start]), declaration[start..].to_string())
}

fn header_functions() -> Functions {
    let text = header();
    let mut functions = Functions::new();
    let (_, declarations) = text.split_once("extern \"C\" {").expect("functions are for C");
    for declaration in declarations.split("PYMETALLIC_API").skip(1) {
        let end = declaration.find(';').expect("a declaration ends");
        let (head, parameters) = declaration[..end].trim_end_matches(')').split_once('(').expect("a function");
        let (result, name) = split_name(head);
        let parameters = match parameters.trim() {
            "void" => Vec::new(),
            list => list.split(',').map(|parameter| split_name(parameter).0).collect(),
        };
        assert!(functions.insert(name.clone(), (result, parameters)).is_none(), "{name} is declared twice");
    }
    functions
}

fn sources() -> Vec<(PathBuf, syn::File)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let entries = std::fs::read_dir(directory).expect("sources exist");
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths.map(|path| (path.clone(), syn::parse_file(&std::fs::read_to_string(path).unwrap()).unwrap())).collect()
}

/// The C type of a Rust type of the interface.
fn canonical_rust(ty: &syn::Type) -> String {
    match ty {
        syn::Type::Ptr(pointer) => {
            let target = canonical_rust(&pointer.elem);
            if pointer.const_token.is_some() { format!("const {target}*") } else { format!("{target}*") }
        }
        syn::Type::Path(path) => {
            let name = path.path.segments.last().expect("a type has a name").ident.to_string();
            let c = match name.as_str() {
                "Handle" => "void*",
                "c_void" => "void",
                "c_char" => "char",
                "u8" => "uint8_t",
                "i32" => "int32_t",
                "u32" => "uint32_t",
                "u64" => "uint64_t",
                "f32" => "float",
                "f64" => "double",
                "Deallocator" => "metal_deallocator",
                "CompletedHandler" => "metal_completed_handler",
                "LogHandler" => "metal_log_handler",
                "MetalRegion" => "metal_region",
                "MetalTextureDescriptor" => "metal_texture_descriptor",
                "MetalSamplerDescriptor" => "metal_sampler_descriptor",
                other => other,
            };
            c.to_string()
        }
        other => panic!("{other:?} has no type in C"),
    }
}

fn exported_functions() -> Vec<syn::ItemFn> {
    let is_exported = |f: &syn::ItemFn| f.attrs.iter().any(|a| format!("{a:?}").contains("no_mangle"));
    let items = sources().into_iter().flat_map(|(_, file)| file.items);
    items
        .filter_map(|item| match item {
            syn::Item::Fn(function) if is_exported(&function) => Some(function),
            _ => None,
        })
        .collect()
}

fn crate_functions() -> Functions {
    let types = |function: syn::ItemFn| {
        let signature = function.sig;
        let abi = signature.abi.as_ref().and_then(|abi| abi.name.as_ref()).map(syn::LitStr::value);
        assert_eq!(abi.as_deref(), Some("C"), "{}", signature.ident);
        let result = match &signature.output {
            syn::ReturnType::Default => "void".to_string(),
            syn::ReturnType::Type(_, ty) => canonical_rust(ty),
        };
        let parameters = signature.inputs.iter().map(|input| match input {
            syn::FnArg::Typed(input) => canonical_rust(&input.ty),
            syn::FnArg::Receiver(_) => panic!("an exported function has no self"),
        });
        (signature.ident.to_string(), (result, parameters.collect()))
    };
    exported_functions().into_iter().map(types).collect()
}

#[test]
fn header_declares_the_functions_of_the_crate() {
    let (header, library) = (header_functions(), crate_functions());
    let names = |functions: &Functions| functions.keys().cloned().collect::<BTreeSet<_>>();
    let difference: Vec<_> = names(&header).symmetric_difference(&names(&library)).cloned().collect();
    assert!(difference.is_empty(), "only in the header or only in the crate: {difference:?}");
    for (name, types) in &library {
        assert_eq!(&header[name], types, "{name}: header and crate differ");
    }
}

#[test]
fn functions_of_the_bridge_keep_their_types() {
    let functions = header_functions();
    let lines: Vec<&str> = BRIDGE.trim().lines().collect();
    assert_eq!(lines.len(), 37);
    for line in lines {
        let (head, parameters) = line.trim_end_matches(')').split_once('(').unwrap();
        let (result, name) = head.split_once(' ').unwrap();
        let expand = |ty: &str| match ty {
            "p" => "void*".to_string(),
            "p*" => "void**".to_string(),
            "const p" => "const void*".to_string(),
            other => other.to_string(),
        };
        let parameters: Vec<String> = parameters.split(", ").filter(|p| !p.is_empty()).map(expand).collect();
        assert_eq!(functions.get(name), Some(&(expand(result), parameters)), "{name}");
    }
}

/// Errors name the function that was called, so each function hands on its own name and no other's.
#[test]
fn functions_know_their_names() {
    // These cannot fail.
    let silent = ["metal_get_last_error_code", "metal_clear_last_error", "metal_get_version"];
    let all: BTreeSet<String> = crate_functions().into_keys().collect();
    for function in exported_functions() {
        let name = function.sig.ident.to_string();
        let body = format!("{:?}", function.block);
        let mentioned: Vec<&str> = body.split('"').filter(|part| all.contains(*part)).collect();
        // A message may name another function as the remedy; the first name is the function's own.
        assert!(silent.contains(&name.as_str()) || mentioned.first() == Some(&name.as_str()), "{name}: {mentioned:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_shared_library_exports_what_the_header_declares() {
    let directory = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(directory.join("libpymetallic.so")).output();
    let Ok(output) = output else {
        eprintln!("there is no nm: not tested");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let exported: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .filter(|name| name.starts_with("metal_"))
        .map(str::to_string)
        .collect();
    let declared: BTreeSet<String> = header_functions().into_keys().collect();
    assert_eq!(exported, declared);
}

/// Structures have the same members in the same order; all have four bytes, so nothing is padded.
#[test]
fn structures_have_the_same_members() {
    let text = header();
    let mut checked = 0;
    for item in sources().into_iter().flat_map(|(_, file)| file.items) {
        let syn::Item::Struct(item) = item else { continue };
        let c_name = match item.ident.to_string().as_str() {
            "MetalRegion" => "metal_region",
            "MetalTextureDescriptor" => "metal_texture_descriptor",
            "MetalSamplerDescriptor" => "metal_sampler_descriptor",
            _ => continue,
        };
        let (_, rest) = text.split_once(&format!("typedef struct {c_name} {{")).expect("the header has it");
        let (body, _) = rest.split_once('}').expect("it ends");
        let mut members = Vec::new();
        for declaration in body.split(';').map(str::trim).filter(|d| !d.is_empty()) {
            let (ty, names) = declaration.split_once(' ').unwrap();
            members.extend(names.split(',').map(|name| (name.trim().to_string(), ty.to_string())));
        }
        let member = |field: &syn::Field| (field.ident.as_ref().unwrap().to_string(), canonical_rust(&field.ty));
        let expected: Vec<_> = item.fields.iter().map(member).collect();
        assert_eq!(members, expected, "{c_name}");
        checked += 1;
    }
    assert_eq!(checked, 3);
}

/// The constants of the header, by name.
fn constants() -> BTreeMap<String, u32> {
    let text = header();
    let definitions = text.lines().filter_map(|line| line.trim().split_once(" = "));
    definitions
        .filter(|(name, _)| name.starts_with("METAL_"))
        .map(|(name, value)| {
            let value = value.trim().trim_end_matches(',').trim();
            let number = value.strip_prefix("0x").map_or_else(|| value.parse(), |hex| u32::from_str_radix(hex, 16));
            (name.to_string(), number.unwrap_or_else(|_| panic!("{name} = {value}")))
        })
        .collect()
}

#[test]
fn constants_are_those_of_metallic() {
    use metallic::{
        AddressMode, BorderColor, CompareFunction, LogLevel, MinMagFilter, MipFilter, StorageMode, TextureType,
    };
    let constants = constants();
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let group = |prefix: &str| -> BTreeMap<String, u32> {
        let of_group = constants.iter().filter_map(|(name, value)| Some((name.strip_prefix(prefix)?, *value)));
        of_group.map(|(name, value)| (plain(name), value)).collect()
    };
    let expected =
        |pairs: &[(&str, u32)]| pairs.iter().map(|(name, value)| (plain(name), *value)).collect::<BTreeMap<_, _>>();
    let formats: Vec<_> = pixel_format::ALL.iter().map(|info| (info.name, info.format as u32)).collect();
    assert_eq!(group("METAL_PIXEL_FORMAT_"), expected(&formats));
    macro_rules! all {
        ($($ty:ident { $($variant:ident)* } $prefix:literal)*) => {$(
            assert_eq!(group($prefix), expected(&[$((stringify!($variant), $ty::$variant as u32)),*]), $prefix);
        )*};
    }
    all! {
        StorageMode { Shared Managed Private } "METAL_STORAGE_MODE_"
        AddressMode { ClampToEdge MirrorClampToEdge Repeat MirrorRepeat ClampToZero ClampToBorderColor }
            "METAL_SAMPLER_ADDRESS_MODE_"
        MinMagFilter { Nearest Linear } "METAL_SAMPLER_MIN_MAG_FILTER_"
        MipFilter { NotMipmapped Nearest Linear } "METAL_SAMPLER_MIP_FILTER_"
        CompareFunction { Never Less Equal LessEqual Greater NotEqual GreaterEqual Always } "METAL_COMPARE_FUNCTION_"
        LogLevel { Debug Info Notice Error Fault } "METAL_LOG_LEVEL_"
        BorderColor { TransparentBlack OpaqueBlack OpaqueWhite } "METAL_SAMPLER_BORDER_COLOR_"
    }
    for (name, value) in group("METAL_TEXTURE_TYPE_") {
        let found = TextureType::from_raw(value).unwrap_or_else(|| panic!("{name}"));
        let spelled = plain(&format!("{found:?}"));
        // Rust cannot begin a name with a digit: D2Array is 2D_ARRAY.
        let spelled = match spelled.strip_prefix('d') {
            Some(rest) => format!("{}d{}", &rest[..1], &rest[1..]),
            None => spelled,
        };
        assert_eq!(name, spelled);
    }
    assert_eq!(group("METAL_TEXTURE_TYPE_").len(), 10);
    for (name, value) in group("METAL_RESOURCE_STORAGE_MODE_") {
        assert_eq!(value >> 4, constants[&format!("METAL_STORAGE_MODE_{}", name.to_uppercase())], "{name}");
    }
}

/// Codes of errors are constants of the crate.
#[test]
fn error_codes_are_those_of_the_crate() {
    let errors = sources().into_iter().find(|(path, _)| path.ends_with("error.rs")).unwrap().1;
    let mut codes = BTreeMap::new();
    for item in errors.items {
        let syn::Item::Mod(module) = item else { continue };
        for item in module.content.into_iter().flat_map(|(_, items)| items).filter(|_| module.ident == "code") {
            if let syn::Item::Const(item) = item
                && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(value), .. }) = *item.expr
            {
                codes.insert(format!("METAL_ERROR_{}", item.ident), value.base10_parse::<u32>().unwrap());
            }
        }
    }
    let declared = constants().into_iter().filter(|(name, _)| name.starts_with("METAL_ERROR_"));
    assert_eq!(codes, declared.collect());
}

#[test]
fn the_header_has_the_version_of_the_crate() {
    let text = header();
    for (part, value) in [
        ("MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ] {
        assert!(text.contains(&format!("#define PYMETALLIC_VERSION_{part} {value}\n")), "{part}");
    }
}
