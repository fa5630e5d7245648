import Foundation
import NIOCore

extension ConnectionHandler {
  /// How much of a request's text is searched for marks and echoed, in characters.
  private static let textMax = 4096
  /// Texts of a conversation that are remembered.
  private static let saidMax = 16

  func textArrived(_ text: String) {
    let message: ClientMessage
    do {
      message = try ClientMessage(reading: text)
    } catch {
      state.statistics.violations += 1
      return answer(ErrorEvent(code: "invalid_json", message: Self.explain(error)))
    }
    if let name = message.foreignName {
      state.statistics.violations += 1
      return answer(
        ErrorEvent(
          code: "unknown_parameter", message: "Unknown parameter: \(name).", parameter: name))
    }
    if state.behaviour.isStrict, let error = message.strictError(state.behaviour) {
      state.statistics.violations += 1
      return answer(error)
    }
    guard message.type == "response.create" else { return aboutResponseArrived(message) }
    guard let name = message.streamID, !state.behaviour.ignoresLanes else {
      return arrived(message)
    }
    if let error = handOn(message, to: name) {
      state.statistics.violations += 1
      answer(error)
    }
  }

  /// A message whose members are known to be those of its type.
  func arrived(_ message: ClientMessage) {
    switch message.type {
    case "response.create": requestArrived(message)
    case "response.cancel": cancelArrived(message)
    case "response.steer" where knowsControls: steerArrived(message)
    case "response.inject" where knowsControls: injectArrived(message)
    case "response.interrupt" where knowsControls: interruptArrived(message)
    default:
      answer(
        ErrorEvent(
          code: "unknown_event", message: "Unknown event type: \(message.type.prefix(64)).",
          parameter: "type"))
    }
  }

  var knowsControls: Bool {
    state.behaviour.knowsControls && !state.behaviour.isRealtime
  }

  func answer(_ error: ErrorEvent) {
    send(error)
    flush()
  }

  private static func explain(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "The message is not valid JSON." }
    switch error {
    case .keyNotFound(let key, _): return "Missing member: \(key.stringValue)."
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      let path = context.codingPath.map(\.stringValue).joined(separator: ".")
      return "Wrong type of member: \(path)."
    default: return "The message is not valid JSON."
    }
  }
}

// MARK: - response.create

extension ConnectionHandler {
  private func requestArrived(_ message: ClientMessage) {
    state.statistics.requests += 1
    if let record = state.record {
      let text = (message.response ?? message.flat).text.prefix(Self.textMax)
      record.add(AnswerText.mark(in: text), connection: number)
    }
    // A response whose last event has just been read may wait for nothing but this.
    pump()
    if run != nil || isWaiting {
      state.statistics.refusedBusy += 1
      return answer(
        ErrorEvent(
          status: 409, code: "response_in_progress",
          message: "A response is in progress on this connection."))
    }
    if let error = envelopeError(message) ?? generateError(message) ?? continuationError(message) {
      return answer(error)
    }
    let parameters = message.response ?? message.flat
    if let error = parameters.toolError { return answer(error) }
    do {
      startInTurn(parameters, try plan(parameters))
    } catch {
      answer(ErrorEvent(code: "invalid_fault", message: "\(error)", parameter: "input"))
    }
  }

  /// The Realtime API has no such member, and not every other server has it.
  private func generateError(_ message: ClientMessage) -> ErrorEvent? {
    guard (message.response ?? message.flat).namesGenerate,
      !state.behaviour.knowsGenerate || state.behaviour.isRealtime
    else { return nil }
    return ErrorEvent(
      code: "unknown_parameter", message: "Unknown parameter: 'generate'.", parameter: "generate")
  }

  /// What is wrong with the message's shape.
  private func envelopeError(_ message: ClientMessage) -> ErrorEvent? {
    switch state.behaviour.envelope {
    case .nested where message.response == nil:
      return ErrorEvent(
        code: "missing_required_parameter", message: "Missing required parameter: response.",
        parameter: "response")
    case .flat where message.response != nil:
      return ErrorEvent(
        code: "unknown_parameter", message: "Unknown parameter: response.", parameter: "response")
    case .nested, .flat, .both:
      guard let nested = message.response else { return nil }
      if state.behaviour.isRealtime {
        guard nested.store != nil else { return nil }
        return ErrorEvent(
          code: "unknown_parameter", message: "Unknown parameter: response.store.",
          parameter: "response.store")
      }
      guard nested.store != false else { return nil }
      return ErrorEvent(
        code: "invalid_request", message: "store must be false.", parameter: "response.store")
    }
  }

  /// Only the latest response of this very connection, and what was stored, can be continued.
  private func continuationError(_ message: ClientMessage) -> ErrorEvent? {
    let id = (message.response ?? message.flat).previousResponseID
    guard let id, id != latestResponseID, !state.isStored(id) else { return nil }
    return ErrorEvent(
      code: "previous_response_not_found",
      message: "Previous response with id '\(id.prefix(64))' not found.",
      parameter: "previous_response_id")
  }

  func plan(_ parameters: ResponseParameters) throws -> FaultPlan {
    let text = parameters.text.prefix(Self.textMax)
    let plan = try FaultPlan(markerIn: text) ?? state.behaviour.fault ?? FaultPlan()
    return plan.isOnce && !state.isFirst(String(text)) ? FaultPlan() : plan
  }

  /// What is answered: in a conversation of the Realtime API all that was said there.
  private func join(_ asked: Substring, _ parameters: ResponseParameters) -> Substring {
    guard state.behaviour.isRealtime, parameters.conversation != "none" else { return asked }
    said = (said + [String(asked)]).suffix(Self.saidMax)
    return said.joined(separator: " / ")[...]
  }

  func start(_ parameters: ResponseParameters, _ plan: FaultPlan) {
    let asked = parameters.text.prefix(Self.textMax)
    let calledFunction = parameters.functionName.flatMap { name in
      asked.contains("call the tool") ? name : nil
    }
    let text = join(asked, parameters)
    let output: ResponseScript.Output =
      !parameters.generates
      ? .nothing : calledFunction.map { .functionCall(name: $0) } ?? .message
    let suffix = state.makeIDSuffix()
    let object = ResponseObject(
      id: "resp_\(suffix)", createdAt: Int(Date().timeIntervalSince1970),
      model: parameters.model ?? "gpt-5.3-codex",
      previousResponseID: parameters.previousResponseID,
      inputTokens: parameters.text.utf8.count / 4 + 1,
      schemaName: parameters.schemaName,
      isStored: parameters.store ?? !state.behaviour.isRealtime,
      outputModalities: parameters.outputModalities ?? ["audio"])
    let answer = AnswerText(
      answering: text, count: plan.deltas ?? state.behaviour.deltas, pieceBytes: plan.deltaBytes,
      isJSON: parameters.schemaName != nil || calledFunction != nil)
    run = ResponseRun(
      script: ResponseScript(
        object, number: suffix, output: output, answer: answer, plan: plan,
        isRealtime: state.behaviour.isRealtime,
        tellsRateLimits: state.behaviour.tellsRateLimits),
      plan: plan, behaviour: state.behaviour, parameters: parameters)
    state.statistics.responses += 1
    state.responsesRunning += 1
    if let bytes = plan.trickleBytes { trickle(bytes) }
    pump()
  }
}
