import TestSupport

/// What everybody does in a run, each on a thread of their own.
struct ChaosScript: Sendable {
  private static let patience = Duration.seconds(240)

  let seed: UInt64
  let servers: [ChaosServer]
  let daemon: DaemonProcess
  let directory: TemporaryDirectory
  let ledger: ChaosLedger
  let memory: MemoryRecord
  let requests: Int

  /// Each server has a part, and the daemon's operator.
  var parts: Int { servers.count + 1 }

  /// Clients of every habit are at every server.
  func client(_ index: Int, of clients: Int) throws {
    let server = servers[index / ChaosClient.Habit.allCases.count % servers.count]
    var client = ChaosClient(
      index: index, count: (requests + index) / clients, socketPath: daemon.socketPath,
      upstream: server.name, ledger: ledger, seed: seed)
    try client.run()
  }

  func run(part: Int) throws {
    guard servers.indices.contains(part) else { return try watchOver() }
    var random = SplitMix64(seed: seed &+ UInt64(part))
    try spread(ChaosServer.events(&random)) { try servers[part].perform($0, daemon) }
  }

  private func watchOver() throws {
    let chaosOperator = ChaosOperator(servers, in: directory, ledger)
    try spread(ChaosOperator.events, watching: memory) { try chaosOperator.perform($0, daemon) }
    try poll(for: "the last request to be asked", within: Self.patience) {
      memory.look(asked: ledger.asked)
      return ledger.asked >= requests || ledger.hasFailed ? () : nil
    }
  }

  /// Has events happen evenly spread over the requests.
  private func spread<Event>(
    _ events: [Event], watching memory: MemoryRecord? = nil, _ perform: (Event) throws -> Void
  ) throws {
    for (index, event) in events.enumerated() {
      let due = requests * (index + 1) / (events.count + 1)
      try poll(for: "request \(due) to be asked", within: Self.patience) {
        memory?.look(asked: ledger.asked)
        return ledger.asked >= due || ledger.hasFailed ? () : nil
      }
      if ledger.hasFailed { return }
      try perform(event)
    }
  }
}
