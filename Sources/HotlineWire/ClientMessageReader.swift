internal import HotlineCore

/// The one pass over a client's line.
///
/// `type` may stand last, so everything that any type could need is noted on the way, and judged in
/// ``message()`` when the whole line is known to be JSON.
struct ClientMessageReader {
  let bytes: UnsafeRawBufferPointer
  let limits: ClientMessage.Limits
  private var scanner: JSONScanner

  /// The kind of the line's value.
  private(set) var kind = JSONKind.object
  private(set) var type: JSONValue?
  private(set) var id: RequestID?
  /// Set only with a well-formed `request_id` that stands once.
  private(set) var idSpelling: Range<Int>?
  private(set) var idProblem: HotlineError?
  private(set) var options: DeliveryOptionsReader
  /// The line's own members.
  private(set) var line: ClientMessageObject
  /// The kind of `response`, if there is one.
  private(set) var responseKind: JSONKind?
  /// The members of `response`, if it is an object.
  private(set) var response: ClientMessageObject?
  /// The first member that may not stand beside a nested `response`.
  private(set) var foreignName: JSONText?

  init(_ bytes: UnsafeRawBufferPointer, limits: ClientMessage.Limits) {
    self.bytes = bytes
    self.limits = limits
    scanner = JSONScanner(bytes, depthMax: limits.depthMax)
    options = DeliveryOptionsReader(bytes, limits: limits)
    line = ClientMessageObject(openedAt: 0)
  }

  /// Reads the line to its end.
  /// - Throws: What makes it no JSON document; all that was read before that stays readable.
  mutating func read() throws(JSONError) {
    kind = try scanner.peekKind()
    guard kind == .object else {
      _ = try scanner.skipValue()
      return try scanner.finish()
    }
    try scanner.enterObject()
    line = ClientMessageObject(openedAt: scanner.position)
    while let name = try scanner.nextName() {
      let member = ClientMessageMember.named(name, in: bytes)
      let isFirst = line.memberBegan(member, at: name.contents.lowerBound - 1)
      if foreignName == nil, member?.mayStandBesideResponse != true { foreignName = name }
      if let member, isFirst {
        try readFirst(member)
      } else {
        _ = try scanner.skipValue()
        if member == .requestID { (id, idSpelling) = (nil, nil) }
      }
      line.memberEnded(at: scanner.position)
    }
    line.closed(at: scanner.position - 1)
    try scanner.finish()
  }

  private mutating func readFirst(_ member: ClientMessageMember) throws(JSONError) {
    switch member {
    case .type: type = try scanner.skipValue()
    case .requestID: try readRequestID()
    case .hotline: try options.read(&scanner)
    case .response: try readResponse()
    case .eventID, .stream, .streamOptions, .background, .streamID, .model, .instructions, .store,
      .previousResponseID, .promptCacheKey, .responseID, .conversation, .outputModalities:
      line.keep(try scanner.skipValue(), of: member)
    }
  }

  private mutating func readRequestID() throws(JSONError) {
    let value = try scanner.skipValue()
    id = RequestID(value, in: bytes, limits: limits)
    if id != nil {
      idSpelling = value.range
    } else {
      idProblem = .invalidRequest(
        "request_id takes a string of 1 to \(limits.requestIDCharactersMax) characters or an "
          + "integer of at most \(limits.requestIDDigitsMax) digits", param: "request_id")
    }
  }

  private mutating func readResponse() throws(JSONError) {
    let kind = try scanner.peekKind()
    responseKind = kind
    guard kind == .object else {
      _ = try scanner.skipValue()
      return
    }
    try scanner.enterObject()
    var object = ClientMessageObject(openedAt: scanner.position)
    while let name = try scanner.nextName() {
      let member = ClientMessageMember.named(name, in: bytes)
      let isFirst = object.memberBegan(member, at: name.contents.lowerBound - 1)
      let value = try scanner.skipValue()
      if let member, isFirst { object.keep(value, of: member) }
      object.memberEnded(at: value.range.upperBound)
    }
    object.closed(at: scanner.position - 1)
    response = object
  }
}

extension RequestID {
  /// The id that a JSON value stands for; `nil` if it cannot be one.
  init?(_ value: JSONValue, in bytes: UnsafeRawBufferPointer, limits: ClientMessage.Limits) {
    switch value.kind {
    case .string:
      guard let text = value.text, !text.contents.isEmpty else { return nil }
      let (decoded, isWhole) = text.opening(limits.requestIDCharactersMax, in: bytes)
      guard isWhole else { return nil }
      self = .string(decoded)
    case .number:
      // The sign is the one byte that may come on top of the digits.
      guard value.range.count - 1 <= limits.requestIDDigitsMax else { return nil }
      let spelling = bytes[value.range]
      let digits = spelling.first == UInt8(ascii: "-") ? spelling.dropFirst() : spelling
      guard digits.count <= limits.requestIDDigitsMax,
        digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
      else { return nil }
      let isZero = digits.elementsEqual(CollectionOfOne(UInt8(ascii: "0")))
      self = .integer(ByteString(isZero ? digits : spelling))
    case .object, .array, .true, .false, .null:
      return nil
    }
  }
}
