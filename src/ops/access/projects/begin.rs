//! A project with its first instance, in one commit: no crash leaves one without the other.

use serde::Serialize;

use super::{Create, ProjectView};
use crate::{
    model::{error::OpError, instance::Instance},
    ops::{
        access::quota,
        instances::{InstanceView, arguments::NewName, catalog::check_room},
        operation::{Call, Cx, Operation, Reply, Report as _, Step},
        tx::Tx,
    },
};

/// Makes a project and enters its first instance, under the fresh id of the turn. Its folder is ready: this is the
/// commit point.
#[derive(Debug)]
pub struct Begin {
    /// The project.
    pub project: Create,
    /// What its first instance is called.
    pub instance: NewName,
}

/// Both, as they were made.
#[derive(Debug, Serialize)]
pub struct Begun {
    /// The project.
    pub project: ProjectView,
    /// The instance in it.
    pub instance: InstanceView,
}

impl Call for Begin {
    fn apply(&self, tx: &mut Tx<'_>, cx: &Cx) -> Result<Step<Reply>, OpError> {
        check_room(tx.count::<Instance>()?)?;
        let project = match Operation::apply(&self.project, tx, cx)? {
            Step::Done(project) => project,
            Step::Park { wait_ms, seen } => return Ok(Step::Park { wait_ms, seen }),
        };
        quota::instance(tx, &project.id)?;
        let Some(id) = &cx.fresh_id else {
            return Err(OpError::invalid("name", "a project is begun by itself, not inside another operation", ""));
        };
        let instance = Instance {
            name: self.instance.as_str().to_owned(),
            project: project.id.clone(),
            own_of: None,
            left_by: None,
            parent: None,
            note: None,
            read_only: false,
            snapshot: false,
            deleted_at: None,
        };
        tx.put(id.as_str(), &instance, None)?;
        let (outcome, instance) = (project.outcome(), InstanceView::new(id.as_str(), &instance));
        let result = serde_json::to_value(Begun { project, instance }).unwrap_or_default();
        Ok(Step::Done(Reply { outcome, result, image: None }))
    }
}
