import HotlineCore

/// A run in words that a person can follow.
extension Simulation {
  func describe(_ action: Action) -> String {
    switch action {
    case .accept(let request, let madeID):
      "accept R\(request.rawValue)\(madeID.map { " as \($0)" } ?? "")"
    case .refuse(let client, let error): "refuse client \(client.rawValue): \(error.code.rawValue)"
    case .send(let request, let connection, let lane):
      "send R\(request.rawValue) on C\(connection.rawValue)" + (lane.map { ".\($0)" } ?? "")
    case .forward(let request, let connection, let response):
      "forward for R\(request.rawValue) on C\(connection.rawValue), \(response)"
    case .cancelResponse(let response, let connection):
      "cancel \(response) on C\(connection.rawValue)"
    case .deliver(let request): "deliver to R\(request.rawValue)"
    case .notifyQueued(let request, let position, let reason):
      "queued R\(request.rawValue), \(position), \(reason.rawValue)"
    case .finish(let request, let error, let completion):
      "finish R\(request.rawValue) \(completion.outcome.rawValue) \(completion.events) events"
        + (completion.isResent ? " resent" : "") + (error.map { " \(describe($0))" } ?? "")
    case .dial(let connection, let upstream):
      "dial C\(connection.rawValue) of \(upstream.rawValue)"
    case .sendPing(let connection, let id): "ping \(id) on C\(connection.rawValue)"
    case .closeConnection(let connection, let reason):
      "close C\(connection.rawValue): \(reason.rawValue)"
    case .closeClient(let client): "close client \(client.rawValue)"
    case .warmUp(let request, let connection, let lane):
      "warm up C\(connection.rawValue)" + (lane.map { ".\($0)" } ?? "") + " by R\(request.rawValue)"
    case .accountForWarmUp(let connection, _): "account for the warm-up of C\(connection.rawValue)"
    case .giveUpLanes(let upstream): "no more lanes of \(upstream.rawValue)"
    case .giveUpWarmUps(let upstream, let reason):
      "no more warm-ups of \(upstream.rawValue): \(reason)"
    case .answer(let command, let error):
      "answer drain \(command.rawValue)" + (error.map { ": \(describe($0))" } ?? "")
    case .stop: "stop"
    }
  }

  func describe(_ error: HotlineError) -> String {
    "\(error.code.rawValue) sent=\(error.sent.rawValue) retryable=\(error.isRetryable) "
      + "(\(error.detail))"
  }

  func describe(_ spec: NewRequest) -> String {
    var words = [spec.id.map { describe($0) } ?? "no id", "of \(spec.upstream.rawValue)"]
    if let conversation = spec.conversation { words.append("conversation \(conversation)") }
    if let previous = spec.previousResponseID { words.append("after \(previous)") }
    if let key = spec.promptCacheKey { words.append("cache key \(key)") }
    for upstream in spec.alternatives { words.append("or of \(upstream.rawValue)") }
    if spec.priority == .batch { words.append("batch") }
    if spec.events != .all { words.append("events \(spec.events.rawValue)") }
    if spec.resendsUnanswered { words.append("resend") }
    if spec.finishesOnHangup { words.append("finish") }
    if let wait = spec.waitTimeout { words.append("wait \(wait)") }
    if let timeout = spec.timeout { words.append("timeout \(timeout)") }
    return words.joined(separator: ", ")
  }

  private func describe(_ limit: RateLimit) -> String {
    "\(limit.name): \(limit.remaining ?? -1) left until \(limit.resetsAfter ?? .zero) from now"
  }

  func describe(_ id: RequestID) -> String {
    switch id {
    case .string(let text): "\"\(text)\""
    case .integer(let digits): "\(digits)"
    }
  }

  func describe(_ request: RequestNumber?) -> String {
    request.map { "R\($0.rawValue)" } ?? "nobody"
  }

  func describe(_ message: Message) -> String {
    var words = ["\(message.facts.kind)"]
    switch message.facts.lane {
    case .none: break
    case .lane(let lane): words.append("lane \(lane)")
    case .unknown: words.append("unknown lane")
    }
    if message.isMisnamed { words.append("misnamed") }
    if message.facts.isResponseEvent { words.append("response.*") }
    if let id = message.facts.responseID { words.append("\(id)") }
    if let code = message.facts.errorCode { words.append("\(code)") }
    words.append("for \(describe(message.owner))")
    if message.isLate { words.append("late") }
    for limit in message.limits { words.append(describe(limit)) }
    return words.joined(separator: " ")
  }
}
