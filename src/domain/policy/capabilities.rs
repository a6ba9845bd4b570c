//! What programs hear of the device.

use super::Rules;
use rmcp_abi::flags::MANAGED_CAPABILITIES;

/// hipDeviceGetAttribute: what the program hears instead of the runtime's `value`. The same answers as fields of
/// hipDeviceProp_t are 0 where [`Rules::hides_managed`]; [`MANAGED_CAPABILITIES`] says where they lie.
pub fn attribute(attribute: i32, value: i32, rules: &Rules) -> i32 {
    let hidden = rules.hides_managed() && MANAGED_CAPABILITIES.iter().any(|hidden| hidden.attribute == attribute);
    if hidden { 0 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gfx::GfxTarget;
    use crate::options::{Capabilities, Options};

    #[test]
    fn no_managed_answers_0_for_the_five_attributes_and_nothing_else() {
        let options = Options { capabilities: Capabilities::NoManaged, ..Options::default() };
        let hide = Rules::for_gpu(GfxTarget::new(10, 1, 0), false, &options);
        // hipDeviceAttribute_t goes to a few hundred; AMD's own begin at 10,000.
        for number in -1..20_000 {
            for value in [0, 1, -1, i32::MAX] {
                let expected = if [9, 13, 24, 65, 66].contains(&number) { 0 } else { value };
                assert_eq!(attribute(number, value, &hide), expected, "{number}");
                assert_eq!(attribute(number, value, &Rules::KEEP), value, "{number}");
            }
        }
    }
}
