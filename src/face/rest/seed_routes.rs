//! The routes of the first MindCache's REST, with what the document tells of each.

use std::sync::Arc;

use axum::http::Method;

use super::{
    export,
    seed::{Done, Seed, unknown},
    seed_delegates as delegates, seed_groups as groups, seed_instances as instances, seed_keys as keys,
    seed_projects as projects, seed_shares as shares, seed_ws_token, stm,
    table::{Table, told},
};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// All of them.
pub(super) fn routes() -> Table<Arc<Seed>> {
    let table = of_shares(of_instances(of_projects(Table::new())));
    let table = of_groups(of_delegates(of_keys(table)));
    let token = told("createWsToken", "Make a token that opens one WebSocket, for pages that must not hold a key")
        .takes::<seed_ws_token::Wanted>()
        .gives::<seed_ws_token::Made>(200);
    let table = table.on(POST, "/api/ws-token", seed_ws_token::create, token);
    export::routes(stm::routes(table)).nothing_at("/api/{*rest}", unknown)
}

fn of_projects(table: Table<Arc<Seed>>) -> Table<Arc<Seed>> {
    let change = |id| {
        told(id, "Give a project another name or description")
            .takes::<projects::Change>()
            .gives::<Done>(200)
            .may(&[409])
    };
    table
        .on(
            GET,
            "/api/projects",
            projects::list,
            told("listProjects", "Projects that the caller may know of, last changed first")
                .gives::<projects::Projects>(200),
        )
        .on(
            POST,
            "/api/projects",
            projects::create,
            told("createProject", "Make a project, with an instance in it")
                .takes::<projects::New>()
                .gives::<projects::Made>(201)
                .may(&[409]),
        )
        .on(
            GET,
            "/api/projects/{id}",
            projects::read,
            told("getProject", "One project").gives::<projects::Project>(200),
        )
        .on(PUT, "/api/projects/{id}", projects::change, change("replaceProject"))
        .on(PATCH, "/api/projects/{id}", projects::change, change("updateProject"))
        .on(
            DELETE,
            "/api/projects/{id}",
            projects::remove,
            told("deleteProject", "Remove a project with its instances").gives::<Done>(200).may(&[409]),
        )
}

fn of_instances(table: Table<Arc<Seed>>) -> Table<Arc<Seed>> {
    table
        .on(
            GET,
            "/api/projects/{id}/instances",
            instances::inside,
            told("listProjectInstances", "Instances of a project, newest first").gives::<instances::Instances>(200),
        )
        .on(
            POST,
            "/api/projects/{id}/instances",
            instances::create,
            told("createInstance", "Make an instance in a project: an empty one, or a copy")
                .takes::<instances::New>()
                .gives::<instances::Made>(201)
                .may(&[409]),
        )
        .on(
            GET,
            "/api/instances",
            instances::list,
            told("listInstances", "Instances that the caller may know of, newest first")
                .gives::<instances::Instances>(200),
        )
        .on(
            GET,
            "/api/instances/{id}",
            instances::read,
            told("getInstance", "One instance").gives::<instances::Instance>(200),
        )
        .on(
            PATCH,
            "/api/instances/{id}",
            instances::rename,
            told("renameInstance", "Give an instance another name")
                .takes::<instances::Name>()
                .gives::<instances::Instance>(200)
                .may(&[409]),
        )
        .on(
            DELETE,
            "/api/instances/{id}",
            instances::remove,
            told("deleteInstance", "Remove an instance").gives::<Done>(200).may(&[409]),
        )
}

fn of_shares(table: Table<Arc<Seed>>) -> Table<Arc<Seed>> {
    table
        .on(
            GET,
            "/api/projects/{id}/shares",
            shares::of_project,
            told("listProjectShares", "Shares of a project").gives::<shares::Shares>(200),
        )
        .on(
            POST,
            "/api/projects/{id}/shares",
            shares::project,
            told("shareProject", "Share a project").takes::<shares::New>().gives::<shares::Made>(201).may(&[409]),
        )
        .on(
            GET,
            "/api/instances/{id}/shares",
            shares::of_instance,
            told("listInstanceShares", "Shares of an instance").gives::<shares::Shares>(200),
        )
        .on(
            POST,
            "/api/instances/{id}/shares",
            shares::instance,
            told("shareInstance", "Share an instance").takes::<shares::New>().gives::<shares::Made>(201).may(&[409]),
        )
        .on(DELETE, "/api/shares/{id}", shares::remove, told("deleteShare", "End a share").gives::<Done>(200))
}

fn of_keys(table: Table<Arc<Seed>>) -> Table<Arc<Seed>> {
    table
        .on(
            GET,
            "/api/keys",
            keys::list,
            told("listApiKeys", "API keys of the caller, newest first").gives::<keys::Keys>(200),
        )
        .on(
            POST,
            "/api/keys",
            keys::create,
            told("createApiKey", "Make an API key, which is shown this once")
                .takes::<keys::New>()
                .gives::<keys::Made>(201)
                .may(&[404]),
        )
        .on(DELETE, "/api/keys/{id}", keys::revoke, told("revokeApiKey", "Revoke an API key").gives::<Done>(200))
}

fn of_delegates(table: Table<Arc<Seed>>) -> Table<Arc<Seed>> {
    table
        .on(
            GET,
            "/api/delegates",
            delegates::list,
            told("listDelegates", "Delegates of the caller, newest first").gives::<delegates::Delegates>(200),
        )
        .on(
            POST,
            "/api/delegates",
            delegates::create,
            told("createDelegate", "Make a delegate: an identity of an agent")
                .takes::<delegates::New>()
                .gives::<delegates::Made>(201),
        )
        .on(
            DELETE,
            "/api/delegates/{id}",
            delegates::remove,
            told("deleteDelegate", "Remove a delegate").gives::<Done>(200),
        )
        .on(
            GET,
            "/api/delegates/{id}/secrets",
            delegates::secrets,
            told("listDelegateSecrets", "Secrets of a delegate, but for what they are")
                .gives::<delegates::Secrets>(200),
        )
        .on(
            POST,
            "/api/delegates/{id}/secrets",
            delegates::make_secret,
            told("createDelegateSecret", "Make a secret of a delegate, which is shown this once")
                .takes::<delegates::Named>()
                .gives::<delegates::MadeSecret>(201),
        )
        .on(
            DELETE,
            "/api/delegates/{id}/secrets/{secret}",
            delegates::revoke_secret,
            told("revokeDelegateSecret", "Revoke a secret of a delegate").gives::<Done>(200),
        )
        .on(
            GET,
            "/api/delegates/{id}/grants",
            delegates::grants,
            told("listDelegateGrants", "Instances that were given to a delegate").gives::<delegates::Grants>(200),
        )
        .on(
            POST,
            "/api/delegates/{id}/grants",
            delegates::grant,
            told("grantToDelegate", "Give an instance to a delegate")
                .takes::<delegates::NewGrant>()
                .gives::<Done>(201)
                .may(&[409]),
        )
        .on(
            DELETE,
            "/api/delegates/{id}/grants/{instance}",
            delegates::take_back,
            told("takeFromDelegate", "Take an instance from a delegate").gives::<Done>(200),
        )
}

fn of_groups(table: Table<Arc<Seed>>) -> Table<Arc<Seed>> {
    table
        .on(GET, "/api/groups", groups::list, told("listGroups", "Groups of the caller").gives::<groups::Groups>(200))
        .on(
            POST,
            "/api/groups",
            groups::create,
            told("createGroup", "Make a group").takes::<groups::New>().gives::<groups::Made>(201).may(&[409]),
        )
        .on(DELETE, "/api/groups/{id}", groups::remove, told("deleteGroup", "Remove a group").gives::<Done>(200))
        .on(
            GET,
            "/api/groups/{id}/members",
            groups::members,
            told("listGroupMembers", "Members of a group").gives::<groups::Members>(200),
        )
        .on(
            POST,
            "/api/groups/{id}/members",
            groups::add,
            told("addGroupMember", "Take somebody into a group")
                .takes::<groups::NewMember>()
                .gives::<groups::Members>(201)
                .may(&[409]),
        )
        .on(
            DELETE,
            "/api/groups/{id}/members/{member}",
            groups::take_out,
            told("removeGroupMember", "Take somebody out of a group").gives::<Done>(200),
        )
}
