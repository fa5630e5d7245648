/// An `error` event in the shape of the Responses API over a WebSocket, or of the Realtime API.
struct ErrorEvent {
  /// Errors that say that the connection, not the request, is at its end.
  static let connectionCodes: Set<String> = [
    "websocket_connection_limit_reached", "session_expired", "beta_api_shape_disabled",
  ]

  var status = 400
  let code: String
  let message: String
  var parameter: String?

  /// - Parameter eventID: of the Realtime API, which says no status.
  func json(eventID: String? = nil) -> String {
    let first = eventID.map { #""event_id":"\#($0)""# } ?? #""status":\#(status)"#
    let kind = status < 500 ? "invalid_request_error" : "server_error"
    return #"{"type":"error",\#(first),"error":{"type":"\#(kind)","#
      + #""code":\#(JSONText.quoted(code)),"message":\#(JSONText.quoted(message)),"#
      + #""param":\#(JSONText.quotedOrNull(parameter))}}"#
  }
}
