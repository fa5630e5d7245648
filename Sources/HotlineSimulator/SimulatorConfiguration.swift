/// Where the simulator listens and what it starts with.
package struct SimulatorConfiguration: Sendable {
  /// The address to listen on.
  package var host = "127.0.0.1"
  /// The port to listen on; 0 takes a free one.
  package var port = 0
  /// `ws` without TLS.
  package var isPlain = false
  /// Where certificates are kept and `ca.pem` and `url` are written; nil keeps them in memory.
  package var directory: String?
  /// A file that gets a line for each request received, its mark in it; nil keeps none.
  package var recordPath: String?
  package var behaviour = SimulatorBehaviour()

  package init() {}
}
