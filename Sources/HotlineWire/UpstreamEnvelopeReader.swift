/// The one pass over an upstream's message that fills in an ``UpstreamEnvelope``.
struct UpstreamEnvelopeReader {
  /// Top-level members of interest.
  private enum Field: CaseIterable {
    case type, code, error, param, status, statusCode, message
    case hotline, requestID, response, responseID, steer, streamID

    var name: StaticString {
      switch self {
      case .type: "type"
      case .code: "code"
      case .error: "error"
      case .param: "param"
      case .status: "status"
      case .statusCode: "status_code"
      case .message: "message"
      case .hotline: "hotline"
      case .requestID: "request_id"
      case .response: "response"
      case .responseID: "response_id"
      case .steer: "steer"
      case .streamID: "stream_id"
      }
    }
  }

  private let bytes: UnsafeRawBufferPointer
  private var scanner: JSONScanner
  /// Top-level members `type`, whatever their values.
  private(set) var typeCount = 0

  init(_ bytes: UnsafeRawBufferPointer, depthMax: Int) {
    self.bytes = bytes
    self.scanner = JSONScanner(bytes, depthMax: depthMax)
  }

  /// Reads the document to its end; false if it is valid but no object.
  mutating func readDocument(into envelope: inout UpstreamEnvelope) throws(JSONError) -> Bool {
    guard try scanner.peekKind() == .object else {
      _ = try scanner.skipValue()
      try scanner.finish()
      return false
    }
    try scanner.enterObject()
    envelope.bodyStart = scanner.position
    envelope.isEmptyObject = true
    while let name = try scanner.nextName() {
      envelope.isEmptyObject = false
      if let field = field(named: name) {
        try read(field, named: name, into: &envelope)
      } else {
        _ = try scanner.skipValue()
      }
    }
    try scanner.finish()
    return true
  }

  private func field(named name: JSONText) -> Field? {
    guard !name.hasEscapes else {
      return Field.allCases.first { name.equals($0.name, in: bytes) }
    }
    guard !name.contents.isEmpty else { return nil }
    let first = bytes[name.contents.lowerBound]
    let candidate: Field
    switch name.contents.count {
    case 4: candidate = first == UInt8(ascii: "t") ? .type : .code
    case 5:
      candidate =
        first == UInt8(ascii: "e") ? .error : first == UInt8(ascii: "s") ? .steer : .param
    case 6: candidate = .status
    case 7: candidate = first == UInt8(ascii: "h") ? .hotline : .message
    case 8: candidate = .response
    case 9: candidate = .streamID
    case 10: candidate = .requestID
    case 11: candidate = first == UInt8(ascii: "r") ? .responseID : .statusCode
    default: return nil
    }
    return name.equals(candidate.name, in: bytes) ? candidate : nil
  }

  private mutating func read(
    _ field: Field, named name: JSONText, into envelope: inout UpstreamEnvelope
  ) throws(JSONError) {
    switch field {
    case .response where try scanner.peekKind() == .object:
      return try readResponse(into: &envelope)
    case .error where try scanner.peekKind() == .object:
      return try readError(into: &envelope.failure)
    case .steer where try scanner.peekKind() == .object:
      return try readSteer(into: &envelope)
    default: break
    }
    let value = try scanner.skipValue()
    switch field {
    case .type:
      typeCount &+= 1
      envelope.type = value.text
    // What stands beside `type` fills only what the nested object has left open.
    case .code: envelope.failure.code = envelope.failure.code ?? value.text
    case .param: envelope.failure.param = envelope.failure.param ?? value.text
    case .message: envelope.failure.message = envelope.failure.message ?? value.text
    case .status, .statusCode: envelope.failure.status = status(value) ?? envelope.failure.status
    case .streamID: envelope.streamID = value.text
    case .responseID: envelope.topResponseID = value.text
    case .hotline, .requestID:
      let isRequestID = field == .requestID
      envelope.renames.append(.init(contents: name.contents, isRequestID: isRequestID))
    case .response, .error, .steer: break
    }
  }

  /// Reads the `steer` object of an answer to a message about a response.
  private mutating func readSteer(into envelope: inout UpstreamEnvelope) throws(JSONError) {
    try scanner.enterObject()
    while let name = try scanner.nextName() {
      let value = try scanner.skipValue()
      if name.equals("id", in: bytes) {
        envelope.hasSteerID = value.text != nil
      } else if name.equals("previous_response_id", in: bytes) {
        envelope.steeredResponseID = value.text
      }
    }
  }

  /// Reads a `response` object; of members that stand twice the last one counts.
  private mutating func readResponse(
    into envelope: inout UpstreamEnvelope
  ) throws(JSONError) {
    try scanner.enterObject()
    while let name = try scanner.nextName() {
      if name.equals("incomplete_details", in: bytes), try scanner.peekKind() == .object {
        envelope.isSteered = try readIsSteered()
        continue
      }
      let value = try scanner.skipValue()
      if name.equals("id", in: bytes) {
        envelope.nestedResponseID = value.text
      } else if name.equals("status", in: bytes) {
        envelope.responseStatus = value.text
      } else if name.equals("usage", in: bytes) {
        envelope.usage = value.kind == .object ? value.range : nil
      }
    }
  }

  /// Reads an `incomplete_details` object.
  private mutating func readIsSteered() throws(JSONError) -> Bool {
    var isSteered = false
    try scanner.enterObject()
    while let name = try scanner.nextName() {
      let value = try scanner.skipValue()
      if name.equals("reason", in: bytes) {
        isSteered = value.text?.equals("steered", in: bytes) ?? false
      }
    }
    return isSteered
  }

  /// Reads a nested `error` object; it wins over what stands beside it.
  private mutating func readError(
    into failure: inout UpstreamEnvelope.Failure
  ) throws(JSONError) {
    try scanner.enterObject()
    while let name = try scanner.nextName() {
      let value = try scanner.skipValue()
      if name.equals("code", in: bytes) {
        failure.code = value.text ?? failure.code
      } else if name.equals("message", in: bytes) {
        failure.message = value.text ?? failure.message
      } else if name.equals("type", in: bytes) {
        failure.type = value.text ?? failure.type
      } else if name.equals("param", in: bytes) {
        failure.param = value.text ?? failure.param
      } else if name.equals("status", in: bytes) || name.equals("status_code", in: bytes) {
        failure.status = failure.status ?? status(value)
      }
    }
  }

  /// A status of at most three digits; other numbers are none.
  private func status(_ value: JSONValue) -> Int? {
    guard value.kind == .number, value.range.count <= 3 else { return nil }
    var status = 0
    for at in value.range {
      guard bytes[at] &- 0x30 < 10 else { return nil }
      status = status &* 10 &+ Int(bytes[at] &- 0x30)
    }
    return status
  }
}
