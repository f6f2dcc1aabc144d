//! Cost of each operator of one inference.

use std::sync::Arc;
use std::time::Duration;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan;

use super::fused_operator::FusedOperator;

/// One operator's share of an inference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// Its name in the network's file, or a name made of it.
    pub node: String,
    /// Its operation.
    pub operator: String,
    /// CPU time.
    pub spent: Duration,
}

/// Runs `plan` node by node, and fused operators step by step.
pub(super) fn of(
    plan: &Arc<TypedRunnableModel>,
    input: Arc<Tensor>,
    clock: &dyn Fn() -> Duration,
) -> TractResult<Vec<Cost>> {
    let mut costs = Vec::new();
    plan.spawn()?.run_plan_with_eval(tvec!(input.into_tvalue()), |context, state, node, inputs| {
        let begun = clock();
        let mut inside = Duration::ZERO;
        let outputs = match node.op_as::<FusedOperator>() {
            Some(fused) => fused.run(&inputs, |program, arena, inputs| {
                program.run_timed(arena, inputs, clock, &mut |name, kind, spent| {
                    inside += spent;
                    costs.push(Cost { node: name.to_owned(), operator: kind.to_owned(), spent });
                });
            }),
            None => plan::eval(context, state, node, inputs),
        };
        let spent = clock().saturating_sub(begun).saturating_sub(inside);
        costs.push(Cost { node: node.name.clone(), operator: node.op.name().into_owned(), spent });
        outputs
    })?;
    Ok(costs)
}
