import HotlineCore
import HotlineWire
import TestSupport
import Testing

/// A line, and what was made of it.
struct ClientMessageSample {
  let line: [UInt8]
  let message: ClientMessage

  init(_ line: [UInt8], limits: ClientMessage.Limits = .init()) {
    self.line = line
    message = line.withUnsafeBytes { ClientMessage.parse($0, limits: limits) }
    if limits == .init(), refusal == nil { expectToFit() }
  }

  /// What the daemon takes is what the schema allows.
  private func expectToFit() {
    // Foundation takes no half of a surrogate pair and no number beyond a Double.
    guard let json = try? JSON(parsing: line) else { return }
    let misfit = ProtocolSchema.misfit(json, from: .client)
    #expect(misfit == nil, "\(text(line.indices).prefix(600))")
  }

  init(_ line: String, limits: ClientMessage.Limits = .init()) {
    self.init(Array(line.utf8), limits: limits)
  }

  func text(_ range: Range<Int>) -> String {
    String(decoding: line[range], as: UTF8.self)
  }

  var request: ClientRequest? {
    guard case .request(let request) = message else { return nil }
    return request
  }

  var forwarded: ForwardedMessage? {
    guard case .forward(let forwarded) = message else { return nil }
    return forwarded
  }

  var refusal: HotlineError? {
    guard case .refused(let error, _) = message else { return nil }
    return error
  }

  /// Code, param and request id of a refusal in one text: `unknown_type type "a1"`.
  var refused: String? {
    guard case .refused(let error, let spelling) = message else { return nil }
    let id = spelling.map(text) ?? "null"
    return "\(error.code.rawValue) \(error.param ?? "null") \(id)"
  }

  /// The message that the dialect makes of a request.
  func sent(_ dialect: UpstreamDialect, lane: Int? = nil) throws -> String? {
    guard let request else { return nil }
    return text(of: try dialect.message(for: request.body, lane: lane))
  }

  /// The message that the dialect makes of a request that another one has judged.
  func sentAsAccepted(_ dialect: UpstreamDialect, lane: Int? = nil) -> String? {
    request.map { text(of: dialect.message(forAccepted: $0.body, lane: lane)) }
  }

  /// The message that the dialect makes of what is forwarded to `responseID`.
  func sent(_ dialect: UpstreamDialect, to responseID: ByteString) throws -> String? {
    guard let forwarded else { return nil }
    return text(of: try dialect.message(for: forwarded, responseID: responseID))
  }

  private func text(of message: UpstreamMessage) -> String {
    String(decoding: line.withUnsafeBytes { message.bytes(of: $0) }, as: UTF8.self)
  }
}
