import NIOCore

/// Everything of the simulator that changes. Confined to its loop.
final class SimulatorState {
  /// Texts remembered for faults that happen once; beyond that a fault happens again.
  private static let onceMax = 65_536
  /// Responses that are stored; beyond that all are forgotten.
  private static let storedMax = 65_536

  let loop: any EventLoop
  let record: RequestRecord?
  var behaviour: SimulatorBehaviour
  var statistics = SimulatorStatistics()
  /// Open WebSocket connections, by number.
  var connections: [Int: ConnectionHandler] = [:]
  /// Accepted sockets, by number, upgraded or not.
  var channels: [Int: any Channel] = [:]
  var responsesRunning = 0 {
    didSet {
      statistics.responsesAtOnceMax = max(statistics.responsesAtOnceMax, responsesRunning)
    }
  }
  private var upgradesSeen = 0
  private var textsSeen: Set<String> = []
  /// Responses that any connection may continue.
  private var storedIDs: Set<String> = []
  private var idsMade = 0
  /// Sets the ids of this run apart from those of others.
  private let idPrefix = String(UInt64.random(in: .min ... .max), radix: 16)

  init(loop: any EventLoop, behaviour: SimulatorBehaviour, record: RequestRecord?) {
    self.loop = loop
    self.record = record
    self.behaviour = behaviour
  }

  /// What distinguishes the ids of one response or greeting from all others.
  func makeIDSuffix() -> String {
    idsMade += 1
    return "\(idPrefix)\(String(idsMade, radix: 16))"
  }

  /// What an answer to an upgrade has in `x-request-id`.
  func makeRequestID() -> String { "req_\(makeIDSuffix())" }

  /// Whether a fault that happens once is still to happen to this text.
  func isFirst(_ text: String) -> Bool {
    if textsSeen.count >= Self.onceMax { textsSeen.removeAll() }
    return textsSeen.insert(text).inserted
  }

  func store(_ id: String) {
    if storedIDs.count >= Self.storedMax { storedIDs.removeAll() }
    storedIDs.insert(id)
  }

  func isStored(_ id: String) -> Bool { storedIDs.contains(id) }

  /// The status that refuses the next upgrade as ordered, nil if it may pass.
  func nextUpgradeStatus() -> Int? {
    upgradesSeen += 1
    if let refuseFirst = behaviour.refuseFirst {
      return upgradesSeen <= refuseFirst ? behaviour.upgradeStatus ?? 503 : nil
    }
    return behaviour.upgradeStatus
  }
}
