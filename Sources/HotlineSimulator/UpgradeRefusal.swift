import NIOCore
import NIOHTTP1
import NIOWebSocket

/// The answer to a request that does not become a WebSocket.
struct UpgradeRefusal: Equatable {
  var status: Int
  var code: String
  var message: String
  var retryAfter: Int?
  var requestID = ""

  /// The refusal of this upgrade, nil if it may pass. Counts the upgrade.
  static func decide(_ head: HTTPRequestHead, _ state: SimulatorState) -> UpgradeRefusal? {
    var refusal = reason(head, state)
    refusal?.requestID = state.makeRequestID()
    return refusal
  }

  private static func reason(
    _ head: HTTPRequestHead, _ state: SimulatorState
  ) -> UpgradeRefusal? {
    let behaviour = state.behaviour
    if let status = state.nextUpgradeStatus() {
      return UpgradeRefusal(
        status: status, code: "refused_as_ordered", message: "Refused as ordered.",
        retryAfter: behaviour.retryAfter)
    }
    let path = head.uri.prefix { $0 != "?" }
    guard path == "/v1/realtime" || path == "/v1/responses" else {
      return UpgradeRefusal(status: 404, code: "unknown_url", message: "Unknown path.")
    }
    if let name = behaviour.subprotocol, !offers(name, head.headers) {
      return UpgradeRefusal(
        status: 400, code: "subprotocol_required", message: "The sub-protocol is not offered.")
    }
    return keyReason(key(head.headers, behaviour.keyHeader), behaviour)
  }

  /// What is wrong with the key that was given, empty if none was.
  private static func keyReason(
    _ given: String, _ behaviour: SimulatorBehaviour
  ) -> UpgradeRefusal? {
    if behaviour.isKeyless {
      guard !given.isEmpty else { return nil }
      return UpgradeRefusal(
        status: 400, code: "unexpected_key", message: "There are no keys here.")
    }
    if !given.isEmpty, given == behaviour.key ?? given { return nil }
    let message = given.isEmpty ? "Missing API key." : "Incorrect API key provided"
    return UpgradeRefusal(
      status: 401, code: "invalid_api_key",
      message: behaviour.echoesKey ? "\(message): \(given)" : message)
  }

  /// A request without an upgrade.
  static let notAnUpgrade = UpgradeRefusal(
    status: 426, code: "upgrade_required", message: "This path speaks WebSocket only.")

  private static func offers(_ name: String, _ headers: HTTPHeaders) -> Bool {
    headers[canonicalForm: "sec-websocket-protocol"].contains { $0 == name }
  }

  private static func key(_ headers: HTTPHeaders, _ name: String?) -> String {
    if let name, name != "authorization" { return headers.first(name: name) ?? "" }
    if name == nil, let key = headers.first(name: "api-key") { return key }
    let words = headers.first(name: "authorization")?.split(separator: " ") ?? []
    guard words.count == 2, words[0].lowercased() == "bearer" else { return "" }
    return String(words[1])
  }
}

/// Answers what was not upgraded and closes. Confined to its channel's loop.
final class RefusalHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  /// Set when an upgrade was refused.
  var refusal = UpgradeRefusal.notAnUpgrade

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .end = unwrapInboundIn(data) else { return }
    let kind = refusal.status < 500 ? "invalid_request_error" : "server_error"
    let body = context.channel.allocator.buffer(
      string: #"{"error":{"message":\#(JSONText.quoted(refusal.message)),"type":"\#(kind)","#
        + #""param":null,"code":"\#(refusal.code)"}}"# + "\n")
    var headers = HTTPHeaders([
      ("content-type", "application/json"), ("content-length", "\(body.readableBytes)"),
      ("connection", "close"),
    ])
    if !refusal.requestID.isEmpty { headers.add(name: "x-request-id", value: refusal.requestID) }
    if let seconds = refusal.retryAfter { headers.add(name: "retry-after", value: "\(seconds)") }
    if refusal.status == 426 { headers.add(name: "upgrade", value: "websocket") }
    let head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: refusal.status), headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
    let written = context.eventLoop.makePromise(of: Void.self)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    let channel = context.channel
    written.futureResult.whenComplete { _ in channel.close(promise: nil) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // That an upgrade was refused is reported here too, before the request that is answered.
    if error is NIOWebSocketUpgradeError { return }
    context.close(promise: nil)
  }
}
