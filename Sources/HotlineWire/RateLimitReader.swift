package import HotlineCore

/// Reads what a server says of its rate limits: in the headers of its answer to an upgrade, in
/// events of their own, in the headers that an error repeats.
///
/// A value that is not understood counts as not said. Any thread.
package struct RateLimitReader {
  /// Characters of a limit's name.
  private static let nameBytes = 1...64
  /// Longer ones are taken for an instant, or for a mistake.
  private static let secondsMax = 1e7

  /// By name.
  private var found: [String: RateLimit] = [:]
  /// Seconds since 1970.
  private let clock: Int64

  /// What `retry-after` says, until when it says so, and what `retry-after-ms` says.
  private var retry: Duration?
  private var retryAt: Int64?
  private var exactRetry: Duration?
  /// `date`: when the server said it, by its own clock.
  private var saidAt: Int64?

  private init(clock: Int64) { self.clock = clock }

  private var limits: [RateLimit] {
    var found = found
    let untilDate = retryAt.flatMap { Self.duration(Double(max(0, $0 - (saidAt ?? clock)))) }
    // The exact one is there for the sake of those that know it, as OpenAI's own clients do.
    if let wait = exactRetry ?? retry ?? untilDate {
      found[Self.retryName] = RateLimit(Self.retryName, remaining: 0, resetsAfter: wait)
    }
    return found.values.sorted { $0.name < $1.name }
  }

  private static let retryName = "retry-after"

  /// - Parameter headers: names in lower case.
  package static func limits(
    ofHeaders headers: some Sequence<(name: String, value: String)>
  ) -> [RateLimit] {
    var reader = Self(clock: 0)
    for (name, value) in headers { reader.read(header: name, value) }
    return reader.limits
  }

  /// Those of `rate_limits.updated` and `codex.rate_limits`, and of an error's headers.
  ///
  /// - Parameter clock: seconds since 1970.
  package static func limits(
    ofEvent event: UnsafeRawBufferPointer, clock: Int64
  ) -> [RateLimit] {
    var reader = Self(clock: clock)
    var scanner = JSONScanner(event, depthMax: UpstreamEnvelope.depthMax)
    do throws(JSONError) {
      try reader.readEvent(&scanner, in: event)
    } catch {
      return []
    }
    return reader.limits
  }

  private mutating func change(_ name: String, _ change: (inout RateLimit) -> Void) {
    let isName = name.utf8.allSatisfy { 0x21...0x7E ~= $0 }
    guard Self.nameBytes.contains(name.utf8.count), isName else { return }
    change(&found[name, default: RateLimit(name)])
  }

  // MARK: Headers

  /// `x-ratelimit-remaining-tokens` and its like; `retry-after`, after which there is one more, as
  /// seconds, as milliseconds or as a date (RFC 9110, 10.2.3).
  private mutating func read(header name: String, _ value: String) {
    switch name {
    case "retry-after":
      retry = Self.duration(value)
      retryAt = secondsOfHTTPDate(Array(value.utf8)).map { Int64($0) }
    case "retry-after-ms": exactRetry = Double(value).flatMap { Self.duration($0 / 1000) }
    case "date": saidAt = secondsOfHTTPDate(Array(value.utf8)).map { Int64($0) }
    default: readLimit(header: name, value)
    }
  }

  private mutating func readLimit(header name: String, _ value: String) {
    let prefix = "x-ratelimit-"
    guard name.hasPrefix(prefix) else { return }
    let parts = name.dropFirst(prefix.count).split(separator: "-", maxSplits: 1)
    let subject = parts.count > 1 ? String(parts[1]) : "requests"
    switch parts.first {
    case "limit": if let count = Int(value) { change(subject) { $0.limit = count } }
    case "remaining": if let count = Int(value) { change(subject) { $0.remaining = count } }
    case "reset": if let wait = Self.duration(value) { change(subject) { $0.resetsAfter = wait } }
    default: break
    }
  }

  /// `6m0s`, `1.5s`, `20ms`, as OpenAI writes them, and whole or broken seconds.
  static func duration(_ text: String) -> Duration? {
    if let seconds = Double(text) { return duration(seconds) }
    var sum = 0.0
    var rest = text[...]
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isNumber || $0 == "." }
      let unit = rest.dropFirst(digits.count).prefix(while: \.isLetter)
      let units = ["ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400]
      guard let count = Double(digits), let seconds = units[String(unit)] else { return nil }
      sum += count * seconds
      rest = rest.dropFirst(digits.count + unit.count)
    }
    return text.isEmpty ? nil : duration(sum)
  }

  private static func duration(_ seconds: Double) -> Duration? {
    (0...secondsMax).contains(seconds) ? .milliseconds(Int64((seconds * 1000).rounded(.up))) : nil
  }

  // MARK: Events

  private mutating func readEvent(
    _ scanner: inout JSONScanner, in bytes: UnsafeRawBufferPointer
  ) throws(JSONError) {
    try scanner.enterObject()
    while let name = try scanner.nextName() {
      let kind = try scanner.peekKind()
      if name.equals("rate_limits", in: bytes), kind == .array {
        try scanner.enterArray()
        while try scanner.nextElement() { try readLimit(nil, &scanner, in: bytes) }
      } else if name.equals("rate_limits", in: bytes), kind == .object {
        try scanner.enterObject()
        while let name = try scanner.nextName() {
          try readLimit(name.decoded(in: bytes).description, &scanner, in: bytes)
        }
      } else if name.equals("error", in: bytes), kind == .object {
        try scanner.enterObject()
        while let name = try scanner.nextName() { try readHeaders(name, &scanner, in: bytes) }
      } else {
        try readHeaders(name, &scanner, in: bytes)
      }
    }
  }

  /// A limit of this name, or of that which it says itself.
  private mutating func readLimit(
    _ given: String?, _ scanner: inout JSONScanner, in bytes: UnsafeRawBufferPointer
  ) throws(JSONError) {
    guard try scanner.peekKind() == .object else {
      _ = try scanner.skipValue()
      return
    }
    var limit = RateLimit(given ?? "")
    // A clock that may be set is asked only where the server says nothing else.
    var instant: Duration?
    try scanner.enterObject()
    while let name = try scanner.nextName() {
      let value = try scanner.skipValue()
      let number = value.kind == .number ? Double(Self.text(value.range, in: bytes)) : nil
      if given == nil, name.equals("name", in: bytes) {
        limit.name = value.text?.decoded(in: bytes).description ?? ""
      } else if name.equals("limit", in: bytes) {
        limit.limit = number.flatMap(Int.init(exactly:))
      } else if name.equals("remaining", in: bytes) {
        limit.remaining = number.flatMap(Int.init(exactly:))
      } else if name.equals("used_percent", in: bytes) {
        limit.usedPercent = number.flatMap { $0.isFinite ? $0 : nil }
      } else if name.equals("reset_at", in: bytes) {
        instant = number.flatMap { Self.duration(max(0, $0 - Double(clock))) }
      } else if ["reset_seconds", "resets_in_seconds", "reset_after_seconds"].contains(
        name.decoded(in: bytes).description)
      {
        limit.resetsAfter = number.flatMap { Self.duration($0) }
      }
    }
    limit.resetsAfter = limit.resetsAfter ?? instant
    change(limit.name) { $0 = limit }
  }

  /// The member `headers` of an error, an object of texts or numbers.
  private mutating func readHeaders(
    _ name: JSONText, _ scanner: inout JSONScanner, in bytes: UnsafeRawBufferPointer
  ) throws(JSONError) {
    guard name.equals("headers", in: bytes), try scanner.peekKind() == .object else {
      _ = try scanner.skipValue()
      return
    }
    try scanner.enterObject()
    while let name = try scanner.nextName() {
      let value = try scanner.skipValue()
      let text =
        value.kind == .number
        ? Self.text(value.range, in: bytes) : value.text?.decoded(in: bytes).description
      read(header: name.decoded(in: bytes).description.lowercased(), text ?? "")
    }
  }

  private static func text(_ range: Range<Int>, in bytes: UnsafeRawBufferPointer) -> String {
    String(decoding: bytes[range], as: UTF8.self)
  }
}
