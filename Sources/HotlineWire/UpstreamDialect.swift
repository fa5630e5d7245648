package import HotlineCore

/// A part of a message to an upstream.
package enum BodyPiece: Hashable, Sendable {
  /// These bytes of the client's line, as they stand.
  case line(Range<Int>)
  /// Bytes of the daemon's own.
  case literal([UInt8])

  package var byteCount: Int {
    switch self {
    case .line(let range): range.count
    case .literal(let bytes): bytes.count
    }
  }
}

/// One message to an upstream, to be written piece by piece: nothing of the line has been copied.
package struct UpstreamMessage: Hashable, Sendable {
  package private(set) var pieces: [BodyPiece] = []
  /// Length of the whole message.
  package private(set) var byteCount = 0

  fileprivate init() {}

  /// The Realtime API's request to end a response.
  package init(cancelling response: ByteString) {
    var bytes = Array(#"{"type":"response.cancel","response_id":"#.utf8)
    JSONString.append(response.bytes, to: &bytes)
    append(bytes + [UInt8(ascii: "}")])
  }

  /// The message in one array; for tests and small messages.
  package func bytes(of line: UnsafeRawBufferPointer) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(byteCount)
    for piece in pieces {
      switch piece {
      case .line(let range): bytes.append(contentsOf: line[range])
      case .literal(let literal): bytes.append(contentsOf: literal)
      }
    }
    return bytes
  }

  /// Literals that follow one another become one piece.
  fileprivate mutating func append(_ literal: [UInt8]) {
    guard !literal.isEmpty else { return }
    byteCount += literal.count
    guard case .literal(let last)? = pieces.last else { return pieces.append(.literal(literal)) }
    pieces[pieces.count - 1] = .literal(last + literal)
  }

  fileprivate mutating func append(_ range: Range<Int>) {
    guard !range.isEmpty else { return }
    pieces.append(.line(range))
    byteCount += range.count
  }

  /// Appends the ranges, with `replacement` where `replaced` stands within one of them.
  fileprivate mutating func append(
    _ ranges: [Range<Int>], replacing replaced: Range<Int>?, with replacement: [UInt8]
  ) {
    for range in ranges {
      guard let replaced, range.lowerBound <= replaced.lowerBound,
        replaced.upperBound <= range.upperBound
      else {
        append(range)
        continue
      }
      append(range.lowerBound..<replaced.lowerBound)
      append(replacement)
      append(replaced.upperBound..<range.upperBound)
    }
  }
}

/// What one upstream wants its requests to look like: settings, never a code path of their own.
///
/// Immutable; any thread.
package struct UpstreamDialect: Hashable, Sendable {
  package let envelope: RequestEnvelope
  /// `store` becomes false where it is missing or null, and an explicit true is refused.
  package let forcesStoreFalse: Bool
  /// `conversation` becomes `"none"` where it is missing: by itself the server adds each response
  /// to one conversation that all of its connection share, and answers by what it holds.
  package let isolatesResponses: Bool
  /// `output_modalities` becomes `["text"]` where it is missing: by itself the server speaks.
  package let answersInText: Bool
  /// Bytes of one message to the server.
  package let messageBytesMax: Int
  /// `,"model":"…"`; empty without a default.
  private let defaultModel: [UInt8]
  /// `,"instructions":"…"`; empty without a default.
  private let defaultInstructions: [UInt8]

  /// - Parameters:
  ///   - isolatesResponses: What is said in one response is no part of the next.
  ///   - answersInText: A request that asks for nothing else is answered in text.
  ///   - defaultModel: Sent where a request has no `model`.
  ///   - defaultInstructions: Sent where a request has no `instructions`.
  package init(
    envelope: RequestEnvelope = .nested, forcesStoreFalse: Bool = true,
    isolatesResponses: Bool = false, answersInText: Bool = false,
    defaultModel: String? = nil, defaultInstructions: String? = nil,
    messageBytesMax: Int = UpstreamLimits().messageBytesMax
  ) {
    self.envelope = envelope
    self.forcesStoreFalse = forcesStoreFalse
    self.isolatesResponses = isolatesResponses
    self.answersInText = answersInText
    self.messageBytesMax = messageBytesMax
    self.defaultModel = Self.member("model", defaultModel)
    self.defaultInstructions = Self.member("instructions", defaultInstructions)
  }

  /// The `response.create` for a request, in this upstream's envelope.
  ///
  /// - Parameter lane: Whose name the message carries as `stream_id`; nil for a connection that
  ///   carries one response.
  /// - Throws: `invalid_request` for a `store` that the upstream does not do, `message_too_large`.
  package func message(
    for body: RequestBody, lane: Int? = nil
  ) throws(HotlineError) -> UpstreamMessage {
    if forcesStoreFalse, body.store == .true {
      throw .invalidRequest(
        "store is true; this upstream stores nothing, it takes false", param: "store")
    }
    return try checked(message(forAccepted: body, lane: lane))
  }

  /// The same for a request that was judged before, by other settings perhaps: what they took and
  /// these would not is for the server to judge.
  package func message(forAccepted body: RequestBody, lane: Int?) -> UpstreamMessage {
    var message = UpstreamMessage()
    message.append(Self.start)
    if let lane { message.append(Self.streamID(lane)) }
    switch (envelope, body.isEmpty) {
    case (.nested, _): message.append(Self.nestedStart)
    case (.flat, false): message.append(Self.comma)
    case (.flat, true): break
    }
    message.append(body.kept, replacing: nullStore(body), with: Self.falseLiteral)

    var needsComma = envelope == .flat || !body.isEmpty
    func inject(_ member: [UInt8]) {
      guard !member.isEmpty else { return }
      message.append(needsComma ? member : Array(member.dropFirst()))
      needsComma = true
    }
    if forcesStoreFalse, body.store == .missing { inject(Self.storeFalse) }
    if isolatesResponses, !body.hasConversation { inject(Self.conversationNone) }
    if answersInText, !body.hasOutputModalities { inject(Self.textAlone) }
    if !body.hasModel { inject(defaultModel) }
    if !body.hasInstructions { inject(defaultInstructions) }
    message.append(envelope == .nested ? Self.nestedEnd : Self.flatEnd)
    return message
  }

  /// A client's message to the response that its request runs; both envelopes write it flat.
  ///
  /// It names no lane: OpenAI takes no `stream_id` there, as the response says which it is.
  ///
  /// - Parameter responseID: The id of the response that the request runs.
  /// - Throws: `invalid_request` if the client named another response, `message_too_large`.
  package func message(
    for forwarded: ForwardedMessage, responseID: ByteString
  ) throws(HotlineError) -> UpstreamMessage {
    let member = forwarded.kind.responseIDMember
    if let given = forwarded.responseID, given != responseID {
      throw .invalidRequest(
        "\(member) is not the response of this request; leave it out to have it filled in",
        param: "\(member)")
    }
    var message = UpstreamMessage()
    message.append([UInt8(ascii: "{")])
    let isNull = forwarded.responseID == nil && forwarded.responseIDRange != nil
    var encoded: [UInt8] = []
    JSONString.append(responseID.bytes, to: &encoded)
    message.append(
      forwarded.kept, replacing: isNull ? forwarded.responseIDRange : nil, with: encoded)
    if forwarded.responseIDRange == nil {
      message.append(Self.member(member, encoded: encoded))
    }
    message.append(Self.flatEnd)
    return try checked(message)
  }

  private func nullStore(_ body: RequestBody) -> Range<Int>? {
    guard forcesStoreFalse, case .null(let range) = body.store else { return nil }
    return range
  }

  private func checked(_ message: UpstreamMessage) throws(HotlineError) -> UpstreamMessage {
    guard message.byteCount <= messageBytesMax else {
      throw .refusal(
        .messageTooLarge,
        "the message would have \(message.byteCount) bytes; this upstream takes at most "
          + "\(messageBytesMax) (message_bytes_max); send less")
    }
    return message
  }

  // MARK: Bytes

  private static let start = Array(#"{"type":"response.create""#.utf8)
  private static let nestedStart = Array(#","response":{"#.utf8)
  private static let nestedEnd = Array("}}".utf8)
  private static let comma = [UInt8(ascii: ",")]
  private static let flatEnd = Array("}".utf8)
  private static let storeFalse = Array(#","store":false"#.utf8)
  private static let conversationNone = Array(#","conversation":"none""#.utf8)
  private static let textAlone = Array(#","output_modalities":["text"]"#.utf8)
  private static let falseLiteral = Array("false".utf8)

  /// `,"stream_id":"lane-1"`; the names of lanes need no escapes.
  private static func streamID(_ lane: Int) -> [UInt8] {
    member("stream_id", encoded: [0x22] + LaneName.name(of: lane).bytes + [0x22])
  }

  /// `,"name":"value"`; empty without a value.
  private static func member(_ name: StaticString, _ value: String?) -> [UInt8] {
    guard let value else { return [] }
    var encoded: [UInt8] = []
    JSONString.append(value, to: &encoded)
    return member(name, encoded: encoded)
  }

  private static func member(_ name: StaticString, encoded value: [UInt8]) -> [UInt8] {
    Array(",\"\(name)\":".utf8) + value
  }
}
