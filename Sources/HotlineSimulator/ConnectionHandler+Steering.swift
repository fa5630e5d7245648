import NIOCore

/// Messages about a running response, as OpenAI's schema of its WebSocket events has them.
///
/// A steer is taken, ends the running message as `response.incomplete` for the reason `steered`,
/// and is followed by a response that has its input; where the response calls a function instead,
/// that is to be answered first. An inject, which only the schema's beta has, lets the response go
/// on.
extension ConnectionHandler {
  /// Brings a message to the lane that runs the response that it names.
  func aboutResponseArrived(_ message: ClientMessage) {
    guard message.streamID == nil else {
      state.statistics.violations += 1
      return answer(
        ErrorEvent(
          code: "unknown_parameter", message: "Unknown parameter: stream_id.",
          parameter: "stream_id"))
    }
    let lane = lanes.values.first { lane in
      message.responseID != nil
        && (lane.run?.script.object.id == message.responseID
          || lane.latestResponseID == message.responseID)
    }
    // What it does not know is of no lane.
    (knowsControls ? lane ?? self : self).arrived(message)
  }

  func cancelArrived(_ message: ClientMessage) {
    guard let run = run(named: message.responseID) else {
      return answer(
        ErrorEvent(code: "response_cancel_not_active", message: "No such response is running."))
    }
    send(text: run.script.cancel())
    state.statistics.cancelled += 1
    responseEnded(run, canBeContinued: false)
    flush()
  }

  func steerArrived(_ message: ClientMessage) {
    guard let id = message.responseID, let run = run(named: id) else {
      return refuse(message)
    }
    let steer = "steer_\(state.makeIDSuffix())"
    run.steers.append((steer, message.input, message.returnedInput))
    state.statistics.steered += 1
    send(text: run.script.answer("response.steer.accepted", Self.steer(steer, of: id)))
    if run.script.output == .message {
      send(text: run.script.interrupt(reason: "steered"))
      responseEnded(run, canBeContinued: true)
      succeed(run)
    }
    flush()
  }

  /// Begins the response that follows in the place of one that was steered.
  private func succeed(_ run: ResponseRun) {
    guard phase == .open else { return }
    var parameters = run.parameters
    parameters.previousResponseID = run.script.object.id
    parameters.text = run.steers.map(\.input).joined(separator: " ")
    do {
      start(parameters, try plan(parameters))
    } catch {
      sayFailed(run, because: "\(error)")
    }
  }

  /// What was taken comes back, as no response can be made with it.
  private func sayFailed(_ run: ResponseRun, because reason: String) {
    for (id, _, returned) in run.steers {
      let steer =
        #""id":"\#(id)","input":\#(returned ?? #""""#),"#
        + #""previous_response_id":"\#(run.script.object.id)""#
      send(
        text: run.script.answer(
          "response.steer.failed",
          #""error":{"code":"successor_creation_failed","message":\#(JSONText.quoted(reason)),"#
            + #""type":"invalid_request_error"},"steer":{\#(steer)}"#))
    }
  }

  /// What was taken waits for what the client has to bring.
  func sayPending(_ run: ResponseRun) {
    let input = run.script.requiredInput
    for (steer, _, _) in run.steers {
      send(
        text: run.script.answer(
          "response.steer.pending",
          Self.steer(steer, of: run.script.object.id)
            + #","reason":"waiting_for_required_input","required_input":[\#(input)]"#))
    }
  }

  func injectArrived(_ message: ClientMessage) {
    guard let id = message.responseID, let run = run(named: id) else { return refuse(message) }
    send(text: run.script.answer("response.inject.created", #""response_id":"\#(id)""#))
    flush()
  }

  /// Its events are not documented; the response ends as `response.incomplete`, and for no reason,
  /// as the schema has none for it.
  func interruptArrived(_ message: ClientMessage) {
    guard let run = run(named: message.responseID) else { return refuse(message) }
    send(text: run.script.interrupt(reason: nil))
    responseEnded(run, canBeContinued: true)
    flush()
  }

  private func refuse(_ message: ClientMessage) {
    let isOver = message.responseID != nil && message.responseID == latestResponseID
    let code = isOver ? "response_already_completed" : "response_not_found"
    let words = #""code":"\#(code)","message":"No such response is running.""#
    let id = JSONText.quoted(message.responseID ?? "")
    switch message.type {
    case "response.steer":
      send(
        text: #"{"type":"response.steer.failed","#
          + #""error":{\#(words),"type":"invalid_request_error"},"#
          + #""sequence_number":0,"steer":{"input":\#(message.returnedInput ?? #""""#),"#
          + #""previous_response_id":\#(id)}}"#)
    case "response.inject":
      send(
        text: #"{"type":"response.inject.failed","error":{\#(words)},"#
          + #""input":\#(message.returnedInput ?? "[]"),"#
          + #""response_id":\#(id),"sequence_number":0}"#)
    default:
      send(
        ErrorEvent(
          code: code, message: "No such response is running.", parameter: "response_id"))
    }
    flush()
  }

  private static func steer(_ id: String, of response: String) -> String {
    #""steer":{"id":"\#(id)","previous_response_id":"\#(response)"}"#
  }

  /// The running response if the id is its own or not given.
  private func run(named id: String?) -> ResponseRun? {
    guard let run, id == nil || id == run.script.object.id else { return nil }
    return run
  }
}
