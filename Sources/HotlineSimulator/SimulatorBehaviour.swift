/// How the simulated server behaves; may change while it runs, for connections from then on and
/// for requests from then on.
package struct SimulatorBehaviour: Sendable {
  /// Which shape of `response.create` the server takes.
  package enum Envelope: String, CaseIterable, Sendable {
    /// `{"type":…,"response":{…}}`, with `store:false` required in it.
    case nested
    /// The fields beside `type`.
    case flat
    case both
  }

  /// The only key that is taken; nil takes any that is not empty.
  package var key: String?
  /// The only header that the key is taken from; nil: `Authorization`, as a bearer token, or
  /// `api-key`.
  package var keyHeader: String?
  /// Who shows a key is refused.
  package var isKeyless = false
  /// The sub-protocol that has to be offered.
  package var subprotocol: String?
  /// The Realtime API: a greeting, one terminal event for every ending, no `store`.
  package var isRealtime = false
  package var envelope = Envelope.nested
  /// Members that the dialect's schema does not have are refused, not only those that are known to
  /// be misplaced.
  package var isStrict = false
  /// `generate` is taken, as OpenAI documents it; else it is an unknown parameter.
  package var knowsGenerate = true
  /// `stream_id` names a lane, and lanes run side by side; else it is refused.
  package var hasLanes = false
  /// `stream_id` is taken and means nothing.
  package var ignoresLanes = false
  /// `response.steer`, `.inject` and `.interrupt` are known.
  package var knowsControls = true
  /// Rate limits that leave room are told when a response begins.
  package var tellsRateLimits = false
  /// `session.created` is sent when a connection opens.
  package var greets = false
  /// Closes a connection with 1000 when no message came or went for so long; pings do not count.
  package var idleClose: Duration?
  /// Refuses further work so long after the upgrade with `websocket_connection_limit_reached`, then
  /// closes; a running response is finished first.
  package var ageClose: Duration?
  /// The status that refuses upgrades; nil lets them pass.
  package var upgradeStatus: Int?
  /// `Retry-After` of a refused upgrade, in seconds.
  package var retryAfter: Int?
  /// How many upgrades ``upgradeStatus`` (503 if nil) refuses before the rest pass; nil: all.
  package var refuseFirst: Int?
  /// Further headers of the answer to an upgrade.
  package var upgradeHeaders: [(name: String, value: String)] = []
  /// Wait before an upgrade is answered.
  package var upgradeDelay = Duration.zero
  /// Wait before the first delta.
  package var firstDelta = Duration.zero
  /// Wait before each further delta.
  package var gap = Duration.zero
  /// Deltas of a response; nil: as many as the words that are echoed.
  package var deltas: Int?
  /// What goes wrong with requests that do not order a fault themselves.
  package var fault: FaultPlan?
  /// An error event with this code follows the upgrade at once.
  package var errorAfterOpen: String?
  /// A close with this code follows the upgrade at once.
  package var closeAfterOpen: UInt16?
  package var answersPings = true
  /// The server pings this often and closes with 1011 when the pong is not there by the next time.
  package var pingInterval: Duration?
  /// A refused key is repeated in the answer, as some servers do.
  package var echoesKey = false
  /// What is agreed to of permessage-deflate, where the client offers it; nil: nothing.
  package var compression: CompressionTerms?
  /// Longest message taken, in bytes; a longer one is answered by close 1009.
  package var messageBytesMax = 64 << 20

  package init() {}
}

extension SimulatorBehaviour {
  /// Sets the value that the command line flag of this name sets; `none` takes an optional one
  /// away.
  ///
  /// - Throws: `SimulatorError` that names the flag and what it takes.
  package mutating func set(_ name: String, to value: String) throws {
    switch name {
    case "key": key = value == "none" ? nil : value
    case "key-header": keyHeader = value == "none" ? nil : value.lowercased()
    case "keyless": isKeyless = try Self.boolean(name, value)
    case "subprotocol": subprotocol = value == "none" ? nil : value
    case "realtime": isRealtime = try Self.boolean(name, value)
    case "envelope": envelope = try Self.envelope(value)
    case "strict": isStrict = try Self.boolean(name, value)
    case "no-generate": knowsGenerate = try !Self.boolean(name, value)
    case "lanes": hasLanes = try Self.boolean(name, value)
    case "ignore-lanes": ignoresLanes = try Self.boolean(name, value)
    case "no-steer": knowsControls = try !Self.boolean(name, value)
    case "rate-limits": tellsRateLimits = try Self.boolean(name, value)
    case "greeting": greets = try Self.boolean(name, value)
    case "idle-close": idleClose = try Self.seconds(name, value)
    case "age-close": ageClose = try Self.seconds(name, value)
    case "ping-every": pingInterval = try Self.seconds(name, value)
    case "upgrade-status": upgradeStatus = try Self.integer(name, value, in: 300...599)
    case "retry-after": retryAfter = try Self.integer(name, value, in: 0...86_400)
    case "refuse-first": refuseFirst = try Self.integer(name, value, in: 0...1_000_000)
    case "upgrade-headers": upgradeHeaders = try Self.headers(name, value)
    case "upgrade-delay-ms": upgradeDelay = try Self.milliseconds(name, value)
    case "first-delta-ms": firstDelta = try Self.milliseconds(name, value)
    case "gap-ms": gap = try Self.milliseconds(name, value)
    case "deltas": deltas = try Self.integer(name, value, in: 0...10_000_000)
    case "fault": fault = value == "none" ? nil : try FaultPlan(parsing: value)
    case "error-after-open": errorAfterOpen = value == "none" ? nil : value
    case "close-after-open":
      closeAfterOpen = try Self.integer(name, value, in: 1000...4999).map(UInt16.init)
    case "no-pong": answersPings = try !Self.boolean(name, value)
    case "echo-key": echoesKey = try Self.boolean(name, value)
    case "compression":
      compression = value == "none" ? nil : try CompressionTerms(parsing: value)
    case "message-bytes-max":
      messageBytesMax = try Self.integer(name, value, in: 1...(1 << 30)) ?? messageBytesMax
    default: throw SimulatorError("\(name) is no setting; settings have the names of the flags")
    }
  }

  private static func envelope(_ value: String) throws -> Envelope {
    guard let envelope = Envelope(rawValue: value) else {
      throw SimulatorError("envelope: \(value) is unknown; write nested, flat or both")
    }
    return envelope
  }

  private static func headers(
    _ name: String, _ value: String
  ) throws -> [(name: String, value: String)] {
    if value == "none" { return [] }
    return try value.split(separator: ";").map { header in
      let parts = header.split(separator: ":", maxSplits: 1).map {
        $0.trimmingPrefix(while: \.isWhitespace)
      }
      guard parts.count == 2, !parts[0].isEmpty else {
        throw SimulatorError("\(name): \(header) is no header; write 'name: value; name: value'")
      }
      return (String(parts[0]), String(parts[1]))
    }
  }

  private static func boolean(_ name: String, _ value: String) throws -> Bool {
    guard let boolean = Bool(value) else {
      throw SimulatorError("\(name): \(value) is neither true nor false")
    }
    return boolean
  }

  private static func integer(
    _ name: String, _ value: String, in range: ClosedRange<Int>
  ) throws -> Int? {
    if value == "none" { return nil }
    guard let number = Int(value), range.contains(number) else {
      throw SimulatorError(
        "\(name): \(value) is neither none nor a number in \(range.lowerBound)–\(range.upperBound)")
    }
    return number
  }

  private static func milliseconds(_ name: String, _ value: String) throws -> Duration {
    try integer(name, value, in: 0...86_400_000).map { .milliseconds($0) } ?? .zero
  }

  private static func seconds(_ name: String, _ value: String) throws -> Duration? {
    if value == "none" { return nil }
    guard let number = Double(value), (0.001...86_400).contains(number) else {
      throw SimulatorError("\(name): \(value) is neither none nor seconds from 0.001 to 86400")
    }
    return .seconds(number)
  }
}
