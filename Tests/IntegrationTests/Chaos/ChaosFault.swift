import TestSupport

/// What a request orders of the simulator, and what may come of it.
struct ChaosFault {
  enum Effect: Equatable {
    /// It completes, if nothing else gets in its way.
    case none
    /// The connection does not survive it.
    case breaks
    /// It never ends of its own accord.
    case stalls
    /// An error event of the server with this code ends it.
    case fails(code: String)
    /// Refused unread for the connection's sake, the first time.
    case refusesConnection
    /// Ends with this outcome.
    case ends(outcome: String)
  }

  /// Events of an answer with three deltas.
  static let eventCount = 11

  /// As the simulator reads it.
  let order: String
  let effect: Effect

  private init(_ order: String, _ effect: Effect) {
    self.order = order
    self.effect = effect
  }

  static let plain = ChaosFault("deltas 3", .none)

  static func any(_ random: inout SplitMix64) -> ChaosFault {
    switch random.below(1000) {
    case ..<780: return plain
    case ..<850: return odd(&random)
    case ..<880: return ofTheServer(&random)
    case ..<905:
      let outcome = random.pick(["failed", "incomplete"])
      return ChaosFault("deltas 3, \(outcome)", .ends(outcome: outcome))
    case ..<945: return breaking(&random)
    case ..<960:
      let fault = random.pick(["silence after \(moment(&random))", "no-terminal", "dead after 2"])
      return ChaosFault("deltas 3, \(fault)", .stalls)
    case ..<972:
      let code = random.pick(["websocket_connection_limit_reached", "session_expired"])
      return ChaosFault("deltas 3, error \(code), once", .refusesConnection)
    case ..<980:
      // Its own end is as usual; a later request may lose its connection by it.
      return ChaosFault("deltas 3, late after terminal", .none)
    default: return plain
    }
  }

  /// Slow or unusual, but right.
  private static func odd(_ random: inout SplitMix64) -> ChaosFault {
    let faults = [
      "delay 30", "gap 10", "pretty", "fragment 3", "slow-bytes 500",
      "giant 20000 after \(moment(&random))", "garbage after \(moment(&random))",
      "binary after \(moment(&random))",
    ]
    return ChaosFault("deltas 3, \(random.pick(faults))", .none)
  }

  private static func ofTheServer(_ random: inout SplitMix64) -> ChaosFault {
    if random.oneIn(4) {
      let order = "error server_error 500 after \(moment(&random))"
      return ChaosFault("deltas 3, \(order)", .fails(code: "server_error"))
    }
    return ChaosFault("error rate_limit_exceeded 429", .fails(code: "rate_limit_exceeded"))
  }

  private static func breaking(_ random: inout SplitMix64) -> ChaosFault {
    let code = random.pick([1000, 1001, 1002, 1003, 1007, 1009, 1011, 1012, 1013, 3000])
    let faults = [
      "drop", "reset", "truncate", "close \(code) chaos", "close \(code) chaos", "invalid-utf8",
      "bad-frame rsv", "bad-frame opcode", "bad-frame masked", "bad-frame continuation",
    ]
    return ChaosFault("deltas 3, \(random.pick(faults)) after \(moment(&random))", .breaks)
  }

  /// Events before a fault. Seldom none: a connection that ends before it was of any use counts as
  /// a failed dial, and the next one waits.
  private static func moment(_ random: inout SplitMix64) -> Int {
    random.oneIn(8) ? 0 : 1 + random.below(eventCount - 2)
  }
}
