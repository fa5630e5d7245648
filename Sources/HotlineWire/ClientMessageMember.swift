/// The members of a client's line that the daemon reads; all others are the upstream's business.
enum ClientMessageMember: UInt8, CaseIterable {
  // Owned, never sent on; ``mayStandBesideResponse`` counts on the order.
  case type
  case requestID
  case hotline
  case eventID
  case stream
  case streamOptions
  case background
  case streamID
  // Read, and sent on.
  case response
  case model
  case instructions
  case store
  case previousResponseID
  case promptCacheKey
  case responseID
  case conversation
  case outputModalities

  var name: StaticString {
    switch self {
    case .type: "type"
    case .requestID: "request_id"
    case .hotline: "hotline"
    case .eventID: "event_id"
    case .stream: "stream"
    case .streamOptions: "stream_options"
    case .background: "background"
    case .streamID: "stream_id"
    case .response: "response"
    case .model: "model"
    case .instructions: "instructions"
    case .store: "store"
    case .previousResponseID: "previous_response_id"
    case .promptCacheKey: "prompt_cache_key"
    case .responseID: "response_id"
    case .conversation: "conversation"
    case .outputModalities: "output_modalities"
    }
  }

  /// It may stand beside a nested `response`.
  var mayStandBesideResponse: Bool { rawValue <= Self.response.rawValue }

  /// The member of that name, escapes resolved.
  static func named(_ text: JSONText, in bytes: UnsafeRawBufferPointer) -> Self? {
    // Most names of a body's are as long as none of these.
    guard text.hasEscapes else {
      let (one, other) = ofLength(text.contents.count)
      if let one, text.equals(one.name, in: bytes) { return one }
      if let other, text.equals(other.name, in: bytes) { return other }
      return nil
    }
    var raw: UInt8 = 0
    while let member = Self(rawValue: raw) {
      if text.equals(member.name, in: bytes) { return member }
      raw += 1
    }
    return nil
  }
}

extension ClientMessageMember {
  /// Those whose names have so many bytes.
  private static func ofLength(_ count: Int) -> (Self?, Self?) {
    switch count {
    case 4: (.type, nil)
    case 5: (.model, .store)
    case 6: (.stream, nil)
    case 7: (.hotline, nil)
    case 8: (.eventID, .response)
    case 9: (.streamID, nil)
    case 10: (.requestID, .background)
    case 11: (.responseID, nil)
    case 12: (.instructions, .conversation)
    case 14: (.streamOptions, nil)
    case 16: (.promptCacheKey, nil)
    case 17: (.outputModalities, nil)
    case 20: (.previousResponseID, nil)
    default: (nil, nil)
    }
  }
}

/// A set of members, without allocation.
struct ClientMessageMembers: ExpressibleByArrayLiteral {
  private var bits: UInt32 = 0

  init(arrayLiteral elements: ClientMessageMember...) {
    for element in elements { insert(element) }
  }

  /// Never sent on, wherever the body stands.
  static let owned: Self = [
    .type, .requestID, .hotline, .eventID, .stream, .streamOptions, .background, .streamID,
  ]
  /// Owned, and of no meaning to a message that is not for an upstream.
  static let ownedByRequests: Self = [
    .eventID, .stream, .streamOptions, .background, .streamID,
  ]
  /// Stripped from a nested `response`, where `request_id` and `hotline` are refused.
  static let strippedFromResponse: Self = [
    .type, .eventID, .stream, .streamOptions, .background, .streamID,
  ]
  /// Read where the body stands, and sent on.
  static let body: Self = [
    .model, .instructions, .store, .previousResponseID, .promptCacheKey, .conversation,
    .outputModalities,
  ]

  func contains(_ member: ClientMessageMember) -> Bool {
    bits & (1 << UInt32(member.rawValue)) != 0
  }

  mutating func insert(_ member: ClientMessageMember) {
    bits |= 1 << UInt32(member.rawValue)
  }

  /// The first member of both sets, in the order of declaration.
  func first(in other: Self) -> ClientMessageMember? {
    let common = bits & other.bits
    guard common != 0 else { return nil }
    return ClientMessageMember(rawValue: UInt8(common.trailingZeroBitCount))
  }

  func removing(_ member: ClientMessageMember) -> Self {
    var rest = self
    rest.bits &= ~(1 << UInt32(member.rawValue))
    return rest
  }
}

/// The types of line that a client may send.
enum ClientMessageType: CaseIterable {
  case create, cancel, steer, inject, interrupt, ping, status, stats, watch, config,
    cancelOther, drain, reload

  var name: StaticString {
    switch self {
    case .create: "response.create"
    case .cancel: "response.cancel"
    case .steer: "response.steer"
    case .inject: "response.inject"
    case .interrupt: "response.interrupt"
    case .ping: "hotline.ping"
    case .status: "hotline.status"
    case .stats: "hotline.stats"
    case .watch: "hotline.watch"
    case .config: "hotline.config"
    case .cancelOther: "hotline.cancel"
    case .drain: "hotline.drain"
    case .reload: "hotline.reload"
    }
  }

  /// All names, for a person to choose from.
  static var list: String { allCases.map { "\($0.name)" }.joined(separator: ", ") }
}
