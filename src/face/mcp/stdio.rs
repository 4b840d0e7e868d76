//! placeholder
/// placeholder
pub fn stdio(_: tokio_util::sync::CancellationToken) -> (tokio::io::Stdin, tokio::io::Stdout) {
    rmcp::transport::io::stdio()
}
