import TestSupport

/// Who looks after the daemon while requests go on: changes its configuration and drains it.
///
/// Confined to the thread that runs its script.
final class ChaosOperator {
  enum Event: CaseIterable {
    /// A key that no connection depends on.
    case changesALimit
    /// Every connection has to be replaced.
    case changesAHeader
    /// Drained to the end, then opened again by a reload.
    case drains
    /// A drain that a reload ends before it is done, unless it was quick.
    case drainsInVain
  }

  /// The drain is in the middle.
  static let events: [Event] = [
    .changesALimit, .changesAHeader, .drainsInVain, .drains, .changesAHeader, .changesALimit,
    .drainsInVain,
  ]

  private let servers: [ChaosServer]
  private let directory: TemporaryDirectory
  private let ledger: ChaosLedger
  private var requestsMax = 300
  private var generation = 0

  init(_ servers: [ChaosServer], in directory: TemporaryDirectory, _ ledger: ChaosLedger) {
    self.servers = servers
    self.directory = directory
    self.ledger = ledger
  }

  var configuration: String {
    """
    default_upstream = "\(servers[0].name)"
    [socket]
    requests_per_client_max = 16
    [queue]
    requests_max = \(requestsMax)

    """ + servers.map { $0.section(generation: generation) }.joined()
  }

  func perform(_ event: Event, _ daemon: DaemonProcess) throws {
    switch event {
    case .changesALimit:
      requestsMax += 1
      try reload(daemon.client())
    case .changesAHeader:
      generation += 1
      try reload(daemon.client())
    case .drains:
      try drain(daemon) { client in
        let answer = try client.line(within: .seconds(60))
        guard answer.kind == "hotline.ok" else { throw TestFailure("the drain says \(answer)") }
        try reload(daemon.client())
      }
    case .drainsInVain:
      try drain(daemon) { client in
        try reload(daemon.client())
        let answer = try client.line()
        guard answer.kind == "hotline.ok" || answer.code == "cancelled" else {
          throw TestFailure("the drain says \(answer)")
        }
      }
    }
  }

  private func drain(_ daemon: DaemonProcess, _ end: (LineClient) throws -> Void) throws {
    ledger.isDraining = true
    defer { ledger.isDraining = false }
    let client = try daemon.client()
    try client.send(#"{"type":"hotline.drain"}"#)
    try daemon.waitForStatus("the drain") { $0.state.string == "draining" }
    try end(client)
  }

  /// Ends a drain, too.
  private func reload(_ client: LineClient) throws {
    try directory.write("config.toml", configuration)
    let answer = try client.answer(to: #"{"type":"hotline.reload"}"#)
    guard answer.kind == "hotline.ok" else { throw TestFailure("the reload says \(answer)") }
  }
}
