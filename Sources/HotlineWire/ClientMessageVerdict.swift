internal import HotlineCore

/// What the line that was read asks for.
extension ClientMessageReader {
  /// - Throws: Why the line cannot be accepted; the first of several reasons.
  func message() throws(HotlineError) -> ClientMessage {
    guard kind == .object else {
      throw .invalidRequest("a line takes one JSON object; this one is \(kind.noun)")
    }
    let type = try messageType()
    try checkOnce([.requestID, .hotline], in: line)
    if let idProblem { throw idProblem }
    if let problem = options.problem { throw problem }
    switch type {
    case .create: return .request(try request())
    case .cancel:
      let (id, spelling) = try requiredID(type)
      return .cancel(id, spelling: spelling)
    case .steer: return .forward(try forwarded(.steer, type))
    case .inject: return .forward(try forwarded(.inject, type))
    case .interrupt: return .forward(try forwarded(.interrupt, type))
    case .ping: return .ping(echo: idSpelling)
    case .status: return .status(echo: idSpelling)
    case .stats: return .stats(echo: idSpelling)
    case .watch: return try watch()
    case .config: return .config(echo: idSpelling)
    case .cancelOther: return try cancelOfOther()
    case .drain: return .drain(echo: idSpelling)
    case .reload: return .reload(echo: idSpelling)
    }
  }

  // MARK: Type

  private func messageType() throws(HotlineError) -> ClientMessageType {
    try checkOnce([.type], in: line)
    guard let value = type else {
      throw .invalidRequest("type is missing; known: \(ClientMessageType.list)", param: "type")
    }
    guard let text = value.text else {
      throw .invalidRequest("type is \(value.kind.noun); it takes a string", param: "type")
    }
    for type in ClientMessageType.allCases where text.equals(type.name, in: bytes) { return type }
    let shown = text.shown(limits.quotedCharactersMax, in: bytes)
    guard !changesConnection(text) else {
      throw .refusal(
        .sharedConnection,
        "type \"\(shown)\" would change a connection that others share; say it in each request",
        param: "type")
    }
    throw .refusal(
      .unknownType, "type \"\(shown)\" is not known; known: \(ClientMessageType.list)",
      param: "type")
  }

  private func changesConnection(_ type: JSONText) -> Bool {
    type.equals("session.update", in: bytes)
      || type.starts(with: "input_audio_buffer.", in: bytes)
      || type.starts(with: "conversation.", in: bytes)
  }

  // MARK: Requests

  private func request() throws(HotlineError) -> ClientRequest {
    try checkOwned(line)
    let object: ClientMessageObject
    let body: RequestBody
    if line.seen.contains(.response) {
      object = try nestedObject()
      body = RequestBody(object, .nested, without: .strippedFromResponse)
    } else {
      object = line
      body = RequestBody(object, .flat, without: .owned)
    }
    try checkOnce(.body, in: object)
    return ClientRequest(
      id: id, idSpelling: idSpelling, options: options.options,
      previousResponseID: try responseID(object.previousResponseID, .previousResponseID),
      promptCacheKey: text(object.promptCacheKey, limits.promptCacheKeyCharactersMax),
      model: text(object.model, limits.modelCharactersMax), body: body)
  }

  private func nestedObject() throws(HotlineError) -> ClientMessageObject {
    try checkOnce([.response], in: line)
    guard let response else {
      throw .invalidRequest(
        "response is \(responseKind?.noun ?? "missing"); it takes an object", param: "response")
    }
    if let foreignName {
      let name = foreignName.shown(limits.quotedCharactersMax, in: bytes)
      throw .invalidRequest(
        "\(name) stands beside response; it belongs inside it, or leave response out", param: name)
    }
    if let misplaced = response.seen.first(in: [.requestID, .hotline]) {
      throw .invalidRequest(
        "\(misplaced.name) stands inside response; it belongs beside it",
        param: "response.\(misplaced.name)")
    }
    try checkOwned(response)
    try checkOnce([.type], in: response)
    return response
  }

  /// The response id that a member holds. Null, and outside of forwarded messages any other type,
  /// counts as none: the server judges.
  private func responseID(
    _ value: JSONValue?, _ member: ClientMessageMember
  ) throws(HotlineError) -> ByteString? {
    guard let text = value?.text else { return nil }
    let (decoded, isWhole) = text.opening(limits.responseIDCharactersMax, in: bytes)
    guard isWhole else {
      throw .invalidRequest(
        "\(member.name) takes at most \(limits.responseIDCharactersMax) characters",
        param: "\(member.name)")
    }
    return decoded
  }

  /// A string of at most so many characters; nil for all else.
  private func text(_ value: JSONValue?, _ charactersMax: Int) -> ByteString? {
    guard let text = value?.text else { return nil }
    let (decoded, isWhole) = text.opening(charactersMax, in: bytes)
    return isWhole ? decoded : nil
  }

  // MARK: Forwarded messages

  private func forwarded(
    _ kind: ControlMessage, _ type: ClientMessageType
  ) throws(HotlineError) -> ForwardedMessage {
    let (id, spelling) = try requiredID(type)
    try checkOwned(line)
    let member: ClientMessageMember = kind == .steer ? .previousResponseID : .responseID
    try checkOnce([member], in: line)
    let value = kind == .steer ? line.previousResponseID : line.responseID
    if let value, value.kind != .string, value.kind != .null {
      throw .invalidRequest(
        "\(member.name) is \(value.kind.noun); it takes a string, or leave it out",
        param: "\(member.name)")
    }
    return ForwardedMessage(
      kind: kind, id: id, idSpelling: spelling,
      kept: line.kept(without: .owned.removing(.type)),
      responseID: try responseID(value, member), responseIDRange: value?.range)
  }

  private func requiredID(
    _ type: ClientMessageType
  ) throws(HotlineError) -> (RequestID, Range<Int>) {
    guard let id, let idSpelling else {
      throw .invalidRequest(
        "request_id is missing; \(type.name) takes that of a running request", param: "request_id")
    }
    return (id, idSpelling)
  }

  // MARK: Members

  private func checkOwned(_ object: ClientMessageObject) throws(HotlineError) {
    guard !object.seen.contains(.streamID) else {
      throw .invalidRequest(
        "stream_id is not for clients: the daemon chooses the lane; leave it out",
        param: "stream_id")
    }
    try checkOnce(.ownedByRequests, in: object)
    if let background = object.background, background.kind != .false, background.kind != .null {
      throw .invalidRequest(
        "background is \(background.kind.noun); responses on a connection are never in the "
          + "background, it takes false", param: "background")
    }
  }

  private func checkOnce(
    _ members: ClientMessageMembers, in object: ClientMessageObject
  ) throws(HotlineError) {
    guard let member = object.repeated.first(in: members) else { return }
    throw .invalidRequest(
      "\(member.name) stands more than once; it takes one value", param: "\(member.name)")
  }
}
