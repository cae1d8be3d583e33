//! seam
use super::problem::Problem;
/// Rows.
pub fn load(path: &std::path::Path) -> Result<Vec<serde_json::Value>, Problem> {
    Err(Problem::general(path.display().to_string()))
}
/// Bytes.
pub fn bytes(path: &std::path::Path) -> Result<Vec<u8>, Problem> {
    std::fs::read(path).map_err(|e| Problem::general(e.to_string()))
}
