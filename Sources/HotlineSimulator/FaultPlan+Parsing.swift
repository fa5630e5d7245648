private let opening = "[[fault:"
private let closing = "]]"

extension FaultPlan {
  /// Reads faults from words: `delay MS`, `gap MS`, `deltas N`, `size BYTES`, `drop`, `reset`,
  /// `truncate`, `close CODE [REASON]`, `silence`, `dead`, `error CODE [STATUS]`, `garbage`,
  /// `binary`, `bad-frame [rsv|opcode|masked|continuation]`, `invalid-utf8`, `giant BYTES`, `odd`,
  /// `slow-bytes [N]`, `pretty`, `fragment N`, `failed`, `incomplete`, `cancelled`, `no-terminal`,
  /// `late after terminal`, `once`.
  ///
  /// Those that happen at one moment take `after N`, the number of events before it, else 0.
  /// - Throws: `SimulatorError` that names the first word that is not understood.
  package init(parsing text: String) throws {
    self.init()
    for item in text.split(separator: ",") {
      let words = item.split(whereSeparator: \.isWhitespace).map(String.init)
      guard let name = words.first else { continue }
      try apply(name, Array(words.dropFirst()))
    }
    // Stable, so that faults of one moment keep the order in which they were written.
    faults = faults.enumerated()
      .sorted { ($0.element.after, $0.offset) < ($1.element.after, $1.offset) }
      .map(\.element)
  }

  /// The plan ordered by a request's text, nil if its text has no `[[fault: …]]`.
  init?(markerIn text: Substring) throws {
    guard let marker = Self.marker(in: text) else { return nil }
    try self.init(parsing: String(text[marker].dropFirst(opening.count).dropLast(closing.count)))
  }

  /// The text around the marker.
  static func withoutMarker(_ text: Substring) -> String {
    guard let marker = marker(in: text) else { return String(text) }
    return String(text[..<marker.lowerBound] + text[marker.upperBound...])
  }

  private static func marker(in text: Substring) -> Range<String.Index>? {
    guard let start = text.firstRange(of: opening),
      let end = text[start.upperBound...].firstRange(of: closing)
    else { return nil }
    return start.lowerBound..<end.upperBound
  }

  private mutating func apply(_ name: String, _ arguments: [String]) throws {
    switch name {
    case "delay": delayMilliseconds = try Self.number(name, arguments, default: nil)
    case "gap": gapMilliseconds = try Self.number(name, arguments, default: nil)
    case "deltas": deltas = try Self.number(name, arguments, default: nil)
    case "size": deltaBytes = try Self.number(name, arguments, default: nil)
    case "fragment": fragments = try Self.number(name, arguments, default: nil)
    case "slow-bytes": trickleBytes = try Self.number(name, arguments, default: 16)
    case "pretty": isPretty = true
    case "once": isOnce = true
    case "late": isLateAfterTerminal = true
    case "failed", "incomplete", "cancelled", "no-terminal":
      ending = ResponseEnding(rawValue: name) ?? .completed
    default: try schedule(name, arguments)
    }
  }

  private mutating func schedule(_ name: String, _ arguments: [String]) throws {
    var arguments = arguments
    var after = 0
    if let index = arguments.firstIndex(of: "after") {
      after = try Self.number("after", Array(arguments[(index + 1)...]), default: nil)
      arguments.removeSubrange(index...)
    }
    faults.append(Scheduled(fault: try Self.fault(name, arguments), after: after))
  }

  private static func fault(_ name: String, _ arguments: [String]) throws -> Fault {
    switch name {
    case "drop": return .drop
    case "reset": return .reset
    case "truncate": return .truncate
    case "silence": return .silence
    case "dead": return .dead
    case "garbage": return .garbage
    case "binary": return .binary
    case "invalid-utf8": return .invalidUTF8
    case "odd": return .odd
    case "giant": return .giant(bytes: try number(name, arguments, default: nil))
    case "close":
      let code = try number(name, arguments, default: 1011)
      guard (1000...4999).contains(code) else {
        throw SimulatorError("fault close: \(code) is no close code; write 1000 to 4999")
      }
      // A close frame's payload holds 125 bytes, two of them the code (RFC 6455 section 5.5).
      let reason = String(arguments.dropFirst().joined(separator: " ").prefix(40))
      return .close(code: UInt16(code), reason: reason)
    case "error":
      guard let code = arguments.first else {
        throw SimulatorError("fault error: write a code after it")
      }
      let status = try number(name, Array(arguments.dropFirst()), default: 400)
      return .error(code: code, status: status)
    case "bad-frame":
      let kind = arguments.first ?? Fault.BadFrame.reservedBit.rawValue
      guard let frame = Fault.BadFrame(rawValue: kind) else {
        let known = Fault.BadFrame.allCases.map(\.rawValue).joined(separator: ", ")
        throw SimulatorError("fault bad-frame: \(kind) is unknown; known: \(known)")
      }
      return .badFrame(frame)
    default:
      throw SimulatorError("fault \(name) is unknown")
    }
  }

  /// The first argument as a number from 0 to 1 GiB.
  private static func number(
    _ name: String, _ arguments: [String], default fallback: Int?
  ) throws -> Int {
    guard let word = arguments.first else {
      if let fallback { return fallback }
      throw SimulatorError("fault \(name): write a number after it")
    }
    guard let number = Int(word), (0...(1 << 30)).contains(number) else {
      throw SimulatorError("fault \(name): \(word) is no number from 0 to 1073741824")
    }
    return number
  }
}
