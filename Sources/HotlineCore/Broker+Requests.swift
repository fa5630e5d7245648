extension Broker {
  /// A client's request was read and judged well-formed.
  ///
  /// - Parameter memoryHeld: bytes of all lines and events that the daemon holds.
  package mutating func requestArrived(
    _ spec: NewRequest, from client: ClientNumber, memoryHeld: Int, at now: MonotonicInstant
  ) -> [Action] {
    guard clients[client] != nil else { return [] }
    // What waited for a limit's reset goes before who comes after it.
    var actions =
      upstreams.indices.contains { hasUnservedHold($0, at: now) } ? conclude([], at: now) : []
    if let error = refusal(of: spec, from: client, memoryHeld: memoryHeld, at: now) {
      return actions + refuse(client, error)
    }
    let (number, madeID) = accept(spec, from: client, at: now)
    actions.append(.accept(number, madeID: madeID))
    if !spec.alternatives.isEmpty { upstreams[spec.upstream.rawValue].hasAlternatives = true }
    if let error = upstreams[spec.upstream.rawValue].pool.refusal,
      requests[number].flatMap({ alternative(to: $0) }) == nil
    {
      return conclude(actions + end(number, .error, with: error, at: now), at: now)
    }
    actions += line(up: number, at: now)
    return conclude(actions, at: now)
  }

  /// A line could not be accepted for a reason found before the core was asked.
  package mutating func requestRefused(_ error: HotlineError, from client: ClientNumber)
    -> [Action]
  {
    refuse(client, error)
  }

  /// The client that made a request wants it ended.
  package mutating func cancelRequested(
    _ id: RequestID, by client: ClientNumber, at now: MonotonicInstant
  ) -> [Action] {
    guard let number = clients[client]?.open[id] else {
      return refuse(client, unknownRequest(id))
    }
    return conclude(end(number, .cancelled, at: now), at: now)
  }

  /// Somebody wants a request of any client ended.
  ///
  /// - Throws: why it is not.
  package mutating func cancelRequested(
    _ id: RequestID, of client: ClientNumber, by asker: ClientNumber, at now: MonotonicInstant
  ) throws(HotlineError) -> [Action] {
    #if HOTLINE_PLANTED_FAULTS
      let isRefused = PlantedFault.current != .letsAnybodyCancel
      if isRefused, let error = commandRefusal(for: asker) { throw error }
    #else
      if let error = commandRefusal(for: asker) { throw error }
    #endif
    guard let number = openRequest(id, of: client), let request = requests[number] else {
      throw unknownRequest(id)
    }
    let error = HotlineError(
      .cancelled,
      "somebody else cancelled the request (hotline cancel); send it again if that was a mistake",
      sent: sent(of: request), isRetryable: true)
    return conclude(end(number, .cancelled, with: error, at: now), at: now)
  }

  /// That of a client which has left as well.
  private func openRequest(_ id: RequestID, of client: ClientNumber) -> RequestNumber? {
    if let known = clients[client] { return known.open[id] }
    return requests.values.first { $0.client == client && $0.id == id }?.number
  }

  /// A control message for a running response: `response.steer`, `.inject`, `.interrupt`.
  ///
  /// - Parameter responseID: The response that the message names, if it names one.
  package mutating func controlArrived(
    _ message: ControlMessage, for id: RequestID, responseID: ByteString?,
    from client: ClientNumber
  ) -> [Action] {
    guard let number = clients[client]?.open[id], let request = requests[number] else {
      return refuse(client, unknownRequest(id))
    }
    guard case .running(let connection, let lane) = request.state,
      let running = running(on: connection, lane: lane, of: request),
      let current = running.responseID
    else {
      return refuse(
        client,
        HotlineError(
          .invalidRequest, "its response has not begun yet; wait for response.created",
          origin: .client, isRetryable: true, param: "request_id"))
    }
    guard responseID == nil || responseID == current else {
      let param = "\(message.responseIDMember)"
      return refuse(
        client,
        HotlineError(
          .invalidRequest, "\(param) names another response than the request's own; leave it out",
          origin: .client, param: param))
    }
    let index = request.spec.upstream.rawValue
    let steering = upstreams[index].pool.connections[connection]?.lanes[lane].steering
    guard steering?.isSteeredOut != true else {
      return refuse(
        client,
        HotlineError(
          .tooManyRequests,
          "\(Steering.successorsMax) responses have followed one another in this request; make "
            + "another request", origin: .client))
    }
    guard steering?.takes(message) == true else {
      return refuse(
        client,
        HotlineError(
          .tooManyRequests,
          "\(Steering.messagesMax) messages about this response wait for the server's answer "
            + "already; wait for one", origin: .client, isRetryable: true))
    }
    #if HOTLINE_PLANTED_FAULTS
      let isForgotten = PlantedFault.current == .forgetsAnUnansweredSteer
      if !isForgotten {
        upstreams[index].pool.connections[connection]?.lanes[lane].steering.sent(message)
      }
    #else
      upstreams[index].pool.connections[connection]?.lanes[lane].steering.sent(message)
    #endif
    counters.controlsForwarded += 1
    return [.forward(number, on: connection, responseID: current)]
  }

  /// A message that was to be forwarded was not, and its client has been told why.
  package mutating func controlWithdrawn(
    _ message: ControlMessage, for number: RequestNumber, at now: MonotonicInstant
  ) -> [Action] {
    guard let request = requests[number], case .running(let connection, let lane) = request.state
    else { return [] }
    let index = request.spec.upstream.rawValue
    upstreams[index].pool.connections[connection]?.lanes[lane].steering.withdrawn(message)
    return conclude(endIfSettled(lane, of: connection, index, at: now), at: now)
  }

  mutating func refuse(_ client: ClientNumber, _ error: HotlineError) -> [Action] {
    counters.requestsRefused += 1
    counters.errorsByCode[error.code, default: 0] += 1
    return [.refuse(client, error)]
  }

  private func unknownRequest(_ id: RequestID) -> HotlineError {
    HotlineError(
      .unknownRequestID,
      "no request of this id is open; it has ended, or the id is another (1 and \"1\" differ)",
      origin: .client, param: "request_id")
  }

  // MARK: Accepting

  private func refusal(
    of spec: NewRequest, from number: ClientNumber, memoryHeld: Int, at now: MonotonicInstant
  ) -> HotlineError? {
    guard let client = clients[number] else { return nil }
    switch phase {
    case .running:
      break
    case .draining:
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .acceptsWhileDraining { break }
      #endif
      return HotlineError(
        .shuttingDown,
        "the daemon is being drained and takes no new requests; send it again after hotline reload",
        isRetryable: true)
    case .terminating, .stopped:
      return HotlineError(
        .shuttingDown,
        "the daemon is ending and takes no new requests; send it again when the daemon runs again",
        isRetryable: true)
    }
    if let id = spec.id, client.open[id] != nil {
      return HotlineError(
        .duplicateRequestID, "a request of this id is still open; choose another",
        origin: .client, isRetryable: true, param: "request_id")
    }
    if client.open.count >= limits.requestsPerClientMax {
      return HotlineError(
        .tooManyRequests,
        "this client has \(client.open.count) open requests already; wait for one to end or "
          + "raise socket.requests_per_client_max", origin: .client, isRetryable: true)
    }
    if memoryHeld > limits.memoryBytesMax {
      return HotlineError(
        .queueFull,
        "the daemon holds more than socket.memory_max bytes for its clients; send it again later, "
          + "or raise the limit",
        isRetryable: true)
    }
    let waiting = upstreams.reduce(0) { $0 + $1.waitingCount }
    if waiting >= limits.queueRequestsMax, wouldWait(spec, from: number, at: now) {
      return HotlineError(
        .queueFull,
        "\(waiting) requests are waiting already; send it again later, or raise queue.requests_max",
        isRetryable: true)
    }
    return nil
  }

  private mutating func accept(
    _ spec: NewRequest, from client: ClientNumber, at now: MonotonicInstant
  ) -> (RequestNumber, madeID: ByteString?) {
    let number = RequestNumber(nextRequest)
    nextRequest += 1
    let made = spec.id == nil ? makeID(for: client) : nil
    let id = spec.id ?? .string(made ?? "")
    clients[client]?.open[id] = number
    let deadline = now.advanced(by: spec.timeout ?? limits.requestTimeout)
    let waitDeadline = now.advanced(by: spec.waitTimeout ?? limits.waitTimeout)
    requests[number] = Request(
      number: number, client: client, uid: clients[client]?.uid ?? ownerUID, id: id, spec: spec,
      arrivedAt: now, waitingSince: now, waitDeadline: waitDeadline, deadline: deadline,
      noticeAt: now.advanced(by: limits.queuedNoticeAfter))
    upstreams[spec.upstream.rawValue].waitingCount += 1
    requests[number]?.position = upstreams[spec.upstream.rawValue].waitingCount
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .miscountsThoseBefore {
        let queued = upstreams[spec.upstream.rawValue].queue.count
        requests[number]?.position = queued + 1
      }
    #endif
    counters.requestsAccepted += 1
    return (number, made)
  }

  private mutating func makeID(for client: ClientNumber) -> ByteString {
    while true {
      clients[client]?.idsMade += 1
      let id = ByteString("r\(clients[client]?.idsMade ?? 0)".utf8)
      if clients[client]?.open[.string(id)] == nil { return id }
    }
  }
}
