//! A program sees nothing of RMCP with `policy = "keep"`, and by default what is listed in `calls.rs` alone: everything that
//! more than a thousand calls give back is compared, with and without RMCP. Three of the options show what they are about.
#![forbid(unsafe_code)]

mod calls;
mod capabilities;
mod registered;
mod vram;

use rmcp_hip_tests::Release;

/// `promise` on every release, several at a time.
fn on_every_release(promise: impl Fn(Release) + Sync) {
    let promise = &promise;
    std::thread::scope(|scope| {
        for release in Release::ALL {
            std::thread::Builder::new()
                .name(format!("ROCm {release}"))
                .spawn_scoped(scope, move || promise(release))
                .unwrap();
        }
    });
}
