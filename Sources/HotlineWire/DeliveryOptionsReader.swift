internal import HotlineCore

/// Reads a `hotline` member, and keeps the first thing that is wrong with it.
struct DeliveryOptionsReader {
  private(set) var options = DeliveryOptions()
  private(set) var problem: HotlineError?
  private var seen: UInt16 = 0
  private let bytes: UnsafeRawBufferPointer
  private let limits: ClientMessage.Limits

  private enum Option: UInt8, CaseIterable {
    case upstream, conversation, priority, events, queueTimeout, timeout, resend, onHangup, tag

    var name: StaticString {
      switch self {
      case .upstream: "upstream"
      case .conversation: "conversation"
      case .priority: "priority"
      case .events: "events"
      case .queueTimeout: "queue_timeout_ms"
      case .timeout: "timeout_ms"
      case .resend: "resend"
      case .onHangup: "on_hangup"
      case .tag: "tag"
      }
    }

    var param: String { "hotline.\(name)" }

    static func named(_ text: JSONText, in bytes: UnsafeRawBufferPointer) -> Self? {
      var raw: UInt8 = 0
      while let option = Self(rawValue: raw) {
        if text.equals(option.name, in: bytes) { return option }
        raw += 1
      }
      return nil
    }
  }

  init(_ bytes: UnsafeRawBufferPointer, limits: ClientMessage.Limits) {
    self.bytes = bytes
    self.limits = limits
  }

  /// Reads the value that begins at the scanner's position to its end.
  mutating func read(_ scanner: inout JSONScanner) throws(JSONError) {
    let kind = try scanner.peekKind()
    guard kind == .object else {
      problem = .invalidRequest(
        "hotline is \(kind.noun); it takes an object of options", param: "hotline")
      _ = try scanner.skipValue()
      return
    }
    try scanner.enterObject()
    while let name = try scanner.nextName() {
      let value = try scanner.skipValue()
      guard problem == nil else { continue }
      do throws(HotlineError) {
        try take(value, named: name)
      } catch {
        problem = error
      }
    }
  }

  private mutating func take(_ value: JSONValue, named name: JSONText) throws(HotlineError) {
    guard let option = Option.named(name, in: bytes) else {
      let shown = name.shown(limits.quotedCharactersMax, in: bytes)
      let known = Option.allCases.map { "\($0.name)" }.joined(separator: ", ")
      throw .invalidRequest(
        "hotline.\(shown) is not an option; known: \(known)", param: "hotline.\(shown)")
    }
    let bit: UInt16 = 1 << UInt16(option.rawValue)
    guard seen & bit == 0 else {
      throw .invalidRequest(
        "\(option.param) stands more than once; it takes one value", param: option.param)
    }
    seen |= bit
    try set(option, to: value)
  }

  private mutating func set(_ option: Option, to value: JSONValue) throws(HotlineError) {
    switch option {
    case .upstream: options.upstream = try upstream(value)
    case .conversation:
      options.conversation = try text(value, of: option, limits.conversationCharactersMax)
    case .priority: options.priority = try choice(value, of: option)
    case .events: options.events = try choice(value, of: option)
    case .queueTimeout: options.queueTimeout = try milliseconds(value, of: option)
    case .timeout: options.timeout = try milliseconds(value, of: option)
    case .resend: options.resend = try choice(value, of: option)
    case .onHangup: options.onHangup = try choice(value, of: option)
    case .tag: options.tag = try tag(value)
    }
  }

  // MARK: Values

  private func wrong(
    _ value: JSONValue, of option: Option, takes remedy: String
  ) -> HotlineError {
    let shown = value.shown(limits.quotedCharactersMax, in: bytes)
    return .invalidRequest("\(option.param) is \(shown); it takes \(remedy)", param: option.param)
  }

  private func upstream(_ value: JSONValue) throws(HotlineError) -> ByteString {
    guard let text = value.text else {
      throw wrong(value, of: .upstream, takes: "the name of a configured upstream")
    }
    let (decoded, isWhole) = text.opening(limits.upstreamCharactersMax, in: bytes)
    guard isWhole else {
      let shown = value.shown(limits.quotedCharactersMax, in: bytes)
      throw .refusal(
        .unknownUpstream,
        "hotline.upstream is \(shown); no upstream of that name is configured, "
          + "hotline status lists those that are",
        param: Option.upstream.param)
    }
    return decoded
  }

  private func text(
    _ value: JSONValue, of option: Option, _ charactersMax: Int
  ) throws(HotlineError) -> ByteString {
    guard let text = value.text, !text.contents.isEmpty,
      case let (decoded, isWhole) = text.opening(charactersMax, in: bytes), isWhole
    else { throw wrong(value, of: option, takes: "a string of 1 to \(charactersMax) characters") }
    return decoded
  }

  private func tag(_ value: JSONValue) throws(HotlineError) -> ByteString {
    let tag = try text(value, of: .tag, limits.tagCharactersMax)
    guard !tag.hasControlsOrSurrogates else {
      throw wrong(value, of: .tag, takes: "a string without control characters and surrogates")
    }
    return tag
  }

  private func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ value: JSONValue, of option: Option
  ) throws(HotlineError) -> Choice {
    // Longer than every choice, so that a longer text equals none.
    if let decoded = value.text?.opening(16, in: bytes).decoded {
      for choice in Choice.allCases where decoded.bytes.elementsEqual(choice.rawValue.utf8) {
        return choice
      }
    }
    let choices = Choice.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
    throw wrong(value, of: option, takes: choices)
  }

  private func milliseconds(_ value: JSONValue, of option: Option) throws(HotlineError) -> Duration
  {
    // Nineteen digits fit 64 bits; none of the limits needs as many.
    guard value.kind == .number, value.range.count <= 18,
      let count = Int(String(decoding: bytes[value.range], as: UTF8.self)),
      (1...max(1, limits.timeoutMillisecondsMax)).contains(count)
    else {
      throw wrong(
        value, of: option,
        takes: "a whole number of milliseconds from 1 to \(limits.timeoutMillisecondsMax)")
    }
    return .milliseconds(count)
  }
}
