//! The faces of a cube map ("RDNA 2 ISA", V_CUBEID_F32 and the three after it).

/// The direction's largest component: x 0, y 1, z 2. Of equal ones the last.
fn major(x: f32, y: f32, z: f32) -> usize {
    if z.abs() >= x.abs() && z.abs() >= y.abs() { 2 } else { usize::from(y.abs() >= x.abs()) }
}

/// Number of the face.
pub fn id(x: f32, y: f32, z: f32) -> f32 {
    let axis = major(x, y, z);
    (2 * axis) as f32 + if [x, y, z][axis] < 0.0 { 1.0 } else { 0.0 }
}

/// Coordinate from left to right on the face.
pub fn sc(x: f32, y: f32, z: f32) -> f32 {
    match major(x, y, z) {
        2 if z < 0.0 => -x,
        2 | 1 => x,
        _ if x < 0.0 => z,
        _ => -z,
    }
}

/// Coordinate from top to bottom.
pub fn tc(x: f32, y: f32, z: f32) -> f32 {
    match major(x, y, z) {
        1 if y < 0.0 => -z,
        1 => z,
        _ => -y,
    }
}

/// Twice the largest component.
pub fn ma(x: f32, y: f32, z: f32) -> f32 {
    2.0 * [x, y, z][major(x, y, z)]
}
