//! Libraries: texts that the system has compiled.
//!
//! A library of ours makes one pipeline at a time from one text; Metal compiles a text as a whole.
//! So each text is compiled once and kept as long as our library lives.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use metallic_hal::LibraryText;
use objc2::rc::Retained;
use objc2::runtime::ProtocolObject;
use objc2_foundation::{NSError, NSString};
use objc2_metal::{MTLCompileOptions, MTLDevice, MTLLibrary};

use crate::convert;

type Library = Retained<ProtocolObject<dyn MTLLibrary>>;
/// Filled by the first thread that needs it, while others of the same text wait.
type Slot = Arc<OnceLock<Result<Library, String>>>;

#[derive(Default)]
pub struct Libraries {
    slots: Mutex<Vec<(Weak<LibraryText>, Slot)>>,
}

impl Libraries {
    /// Fails with the messages of the compiler.
    pub fn get(&self, device: &ProtocolObject<dyn MTLDevice>, text: &Arc<LibraryText>) -> Result<Library, String> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.retain(|(text, _)| text.strong_count() > 0);
            match slots.iter().find(|(known, _)| std::ptr::eq(known.as_ptr(), Arc::as_ptr(text))) {
                Some((_, slot)) => slot.clone(),
                None => {
                    let slot = Slot::default();
                    slots.push((Arc::downgrade(text), slot.clone()));
                    slot
                }
            }
        };
        slot.get_or_init(|| compile(device, text)).clone()
    }
}

fn compile(device: &ProtocolObject<dyn MTLDevice>, text: &LibraryText) -> Result<Library, String> {
    let options = MTLCompileOptions::new();
    // The newer `mathMode` is missing before macOS 15.
    #[allow(deprecated)]
    options.setFastMathEnabled(text.fast_math_enabled);
    if let Some(version) = text.language_version {
        options.setLanguageVersion(convert::language_version(version));
    }
    let source = NSString::from_str(&with_macros(text));
    device.newLibraryWithSource_options_error(&source, Some(&options)).map_err(|error| message(&error))
}

/// Macros as lines before the first: Metal's dictionary of macros has neither an order nor
/// macros with parameters.
fn with_macros(text: &LibraryText) -> String {
    if text.preprocessor_macros.is_empty() {
        return text.text.clone();
    }
    let mut out = String::new();
    for (name, replacement) in &text.preprocessor_macros {
        out += &format!("#define {name} {}\n", replacement.replace(['\n', '\r'], " "));
    }
    out + "#line 1\n" + &text.text
}

/// What an error says of itself.
pub fn message(error: &NSError) -> String {
    error.localizedDescription().to_string()
}
