import TestSupport

/// What a request asks of the daemon and of the server.
struct ChaosOptions {
  var fault = ChaosFault.plain
  var upstream = ""
  /// `hotline.events`.
  var events = "all"
  var isBatch = false
  var conversation: String?
  var previousResponseID: String?
  var resendsUnanswered = false
  var finishesOnHangup = false
  var queueTimeoutMilliseconds: Int?
  var timeoutMilliseconds: Int?
  /// Has an option that does not exist.
  var isInvalid = false

  static func any(_ random: inout SplitMix64) -> ChaosOptions {
    var options = ChaosOptions()
    options.fault = .any(&random)
    options.events = random.pick(["all", "all", "all", "text", "final"])
    options.isBatch = random.oneIn(6)
    options.resendsUnanswered = random.oneIn(4)
    options.finishesOnHangup = random.oneIn(6)
    if random.oneIn(12) { options.queueTimeoutMilliseconds = 200 + random.below(2000) }
    if options.fault.effect == .stalls || random.oneIn(25) {
      options.timeoutMilliseconds = 300 + random.below(1500)
    }
    options.isInvalid = random.oneIn(60)
    return options
  }

  /// The members of `hotline`.
  var members: String {
    var members = [#""upstream":"\#(upstream)","events":"\#(events)""#]
    if isBatch { members.append(#""priority":"batch""#) }
    if let conversation { members.append(#""conversation":"\#(conversation)""#) }
    if resendsUnanswered { members.append(#""resend":"unanswered""#) }
    if finishesOnHangup { members.append(#""on_hangup":"finish""#) }
    if let time = queueTimeoutMilliseconds { members.append(#""queue_timeout_ms":\#(time)"#) }
    if let time = timeoutMilliseconds { members.append(#""timeout_ms":\#(time)"#) }
    if isInvalid { members.append(#""prioritty":"batch""#) }
    return members.joined(separator: ",")
  }

  /// Whether the server may get it twice.
  var mayBeReceivedTwice: Bool { resendsUnanswered || fault.effect == .refusesConnection }
}

extension ChaosFault {
  var sendsRaw: Bool { order.contains("garbage") || order.contains("binary") }
}

/// What may come of a request.
extension ChaosRequest {
  /// Whether an error event of the server with this code can be of this request.
  func mayFail(code: String) -> Bool {
    switch code {
    case "websocket_connection_limit_reached":
      // The server's connections end at a certain age, which may meet a request twice.
      return true
    case "session_expired": return options.fault.effect == .refusesConnection
    case "previous_response_not_found": return options.previousResponseID != nil
    default: return options.fault.effect == .fails(code: code)
    }
  }

  /// Whether the daemon may end it with this error. Losses may have been meant for others.
  func mayFailInTheDaemon(code: String) -> Bool {
    switch code {
    case "connection_lost", "upstream_protocol": true
    case "queue_timeout": options.queueTimeoutMilliseconds != nil
    case "timeout": options.timeoutMilliseconds != nil
    case "conversation_lost": options.previousResponseID != nil
    default: false
    }
  }

  func mayEnd(outcome: String) -> Bool {
    switch options.fault.effect {
    case .none, .refusesConnection: outcome == "completed"
    case .breaks, .stalls, .fails: false
    case .ends(let ordered): outcome == ordered
    }
  }
}

extension String {
  /// Refusals that hold for the moment only.
  var isRefusalForLater: Bool {
    self == "too_many_requests" || self == "queue_full" || self == "shutting_down"
  }
}
