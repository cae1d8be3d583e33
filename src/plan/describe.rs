//! A plan as text, for people who want to see what will happen before it does.

use super::Plan;

/// The resolved plan, readable.
pub fn describe(plan: &Plan) -> String {
    plan.name.clone()
}
