//! The macros that are there from the start. MSL specification, chapter 1.5.

use std::sync::Arc;

use msl_base::{Span, Symbol};

use super::table::{Dynamic, Macro, MacroKind, MacroTable};
use super::{Platform, PreprocessOptions};
use crate::lexer::is_identifier_char;

/// Adds the macros whose value depends on where they stand.
pub(crate) fn define_dynamic(table: &mut MacroTable) {
    const DYNAMIC: &[(&str, Dynamic)] = &[
        ("__LINE__", Dynamic::Line),
        ("__FILE__", Dynamic::File),
        ("__FILE_NAME__", Dynamic::File),
        ("__BASE_FILE__", Dynamic::BaseFile),
        ("__COUNTER__", Dynamic::Counter),
        ("__INCLUDE_LEVEL__", Dynamic::IncludeLevel),
        ("__DATE__", Dynamic::Date),
        ("__TIME__", Dynamic::Time),
        ("__TIMESTAMP__", Dynamic::Timestamp),
        ("__has_feature", Dynamic::HasFeature),
        ("__has_extension", Dynamic::HasFeature),
        ("__has_builtin", Dynamic::HasBuiltin),
        ("__has_attribute", Dynamic::HasAttribute),
        ("__has_cpp_attribute", Dynamic::HasAttribute),
        ("__has_c_attribute", Dynamic::HasBuiltin),
        ("__has_declspec_attribute", Dynamic::HasBuiltin),
        ("__has_warning", Dynamic::HasBuiltin),
        ("__is_identifier", Dynamic::IsIdentifier),
        ("__has_include", Dynamic::HasInclude),
        ("__has_include_next", Dynamic::HasInclude),
    ];
    for (name, dynamic) in DYNAMIC {
        table.insert(Arc::new(Macro {
            name: Symbol::new(name),
            definition: Span::NONE,
            is_builtin: true,
            kind: MacroKind::Dynamic(*dynamic),
            body: Box::default(),
        }));
    }
}

/// The compiler's own `#define` lines.
pub(crate) fn text(options: &PreprocessOptions) -> String {
    let (major, minor) = options.version;
    let at_least = |major: u32, minor: u32| options.version >= (major, minor);
    let mut text = String::with_capacity(2048);
    let mut define = |name: &str, value: &str| {
        text.push_str("#define ");
        text.push_str(name);
        text.push(' ');
        text.push_str(value);
        text.push('\n');
    };
    define("__METAL__", "1");
    define("__METAL_VERSION__", &(major * 100 + minor * 10).to_string());
    match options.platform {
        Platform::MacOs => define("__METAL_MACOS__", "1"),
        Platform::Ios => define("__METAL_IOS__", "1"),
    }
    let is_mac = options.platform == Platform::MacOs;
    for (name, is_on) in [
        ("TARGET_OS_MAC", true),
        ("TARGET_OS_OSX", is_mac),
        ("TARGET_OS_IPHONE", !is_mac),
        ("TARGET_OS_IOS", !is_mac),
        ("TARGET_OS_TV", false),
        ("TARGET_OS_WATCH", false),
        ("TARGET_OS_VISION", false),
        ("TARGET_OS_SIMULATOR", false),
        ("TARGET_OS_MACCATALYST", false),
    ] {
        define(name, if is_on { "1" } else { "0" });
    }
    define("__AIR64__", "1");
    define("__PYMETALLIC__", "1");
    if options.fast_math {
        define("__METAL_FAST_MATH__", "1");
        define("__FAST_MATH__", "1");
    }
    if at_least(3, 1) {
        define("__HAVE_BFLOAT__", "1");
    }
    if at_least(4, 0) {
        define("__HAVE_TENSOR__", "1");
    }
    if at_least(2, 3) {
        define("__HAVE_SIMDGROUP_MATRIX__", "1");
    }
    if at_least(2, 1) {
        define("__HAVE_SIMDGROUP_REDUCTION__", "1");
    }
    define("__cplusplus", if at_least(4, 0) { "201703L" } else { "201402L" });
    define("__STDC__", "1");
    define("__clang__", "1");
    define("__clang_major__", "17");
    define("__clang_minor__", "0");
    define("__clang_patchlevel__", "0");
    define("__GNUC__", "4");
    define("__GNUC_MINOR__", "2");
    define("__GNUC_PATCHLEVEL__", "1");
    define("__VERSION__", concat!("\"PyMetallic ", env!("CARGO_PKG_VERSION"), "\""));
    define("__CHAR_BIT__", "8");
    define("__SCHAR_MAX__", "127");
    define("__SHRT_MAX__", "32767");
    define("__INT_MAX__", "2147483647");
    define("__LONG_MAX__", "9223372036854775807L");
    define("__SIZEOF_SHORT__", "2");
    define("__SIZEOF_INT__", "4");
    define("__SIZEOF_LONG__", "8");
    define("__SIZEOF_FLOAT__", "4");
    define("__SIZEOF_POINTER__", "8");
    define("__SIZEOF_SIZE_T__", "8");
    define("__LP64__", "1");
    define("__ORDER_LITTLE_ENDIAN__", "1234");
    define("__ORDER_BIG_ENDIAN__", "4321");
    define("__BYTE_ORDER__", "__ORDER_LITTLE_ENDIAN__");
    define("__LITTLE_ENDIAN__", "1");
    text
}

/// Headers of the standard library, by their names in the MSL specification, and the vector library they share
/// with the host.
pub(crate) fn is_standard_header(name: &str) -> bool {
    (name.starts_with("metal_") && !name.contains(['.', '/'])) || name == "metal" || name.starts_with("simd/")
}

pub(crate) fn is_identifier(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(is_identifier_char)
}

/// `__has_feature` and `__has_extension`: what MSL takes over from C++11 and C++14.
pub(crate) fn has_feature(name: &str) -> bool {
    matches!(
        without_underscores(name),
        "cxx_alias_templates"
            | "cxx_alignas"
            | "cxx_attributes"
            | "cxx_auto_type"
            | "cxx_binary_literals"
            | "cxx_constexpr"
            | "cxx_decltype"
            | "cxx_default_function_template_args"
            | "cxx_defaulted_functions"
            | "cxx_deleted_functions"
            | "cxx_explicit_conversions"
            | "cxx_generalized_initializers"
            | "cxx_inline_namespaces"
            | "cxx_local_type_template_args"
            | "cxx_noexcept"
            | "cxx_nullptr"
            | "cxx_override_control"
            | "cxx_range_for"
            | "cxx_raw_string_literals"
            | "cxx_relaxed_constexpr"
            | "cxx_return_type_deduction"
            | "cxx_rvalue_references"
            | "cxx_static_assert"
            | "cxx_strong_enums"
            | "cxx_trailing_return"
            | "cxx_unrestricted_unions"
            | "cxx_user_literals"
            | "cxx_variable_templates"
            | "cxx_variadic_templates"
    )
}

/// No builtin is promised under Clang's names; code that asks has another way.
pub(crate) fn has_builtin(_name: &str) -> bool {
    false
}

pub(crate) fn has_attribute(name: &str) -> bool {
    matches!(
        without_underscores(name),
        "aligned"
            | "always_inline"
            | "const"
            | "deprecated"
            | "fallthrough"
            | "maybe_unused"
            | "nodiscard"
            | "noinline"
            | "noreturn"
            | "packed"
            | "pure"
            | "unused"
    )
}

/// `__name__` means `name` to the feature checks.
fn without_underscores(name: &str) -> &str {
    name.strip_prefix("__").and_then(|n| n.strip_suffix("__")).unwrap_or(name)
}
