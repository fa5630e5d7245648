import DequeModule

extension Broker {
  /// Ends an open request: its one `.finish`, and what follows from it.
  ///
  /// - Parameter lane: what becomes of the lane that it runs on, if it does.
  mutating func end(
    _ number: RequestNumber, _ outcome: Outcome, with error: HotlineError? = nil,
    usage: ByteString? = nil, lane fate: LaneFate = .unwanted, at now: MonotonicInstant
  ) -> [Action] {
    guard let request = requests.removeValue(forKey: number) else { return [] }
    let index = request.spec.upstream.rawValue
    deadlines.cancel(number)
    clients[request.client]?.open[request.id] = nil
    var completion = Completion(
      outcome: outcome, upstream: request.spec.upstream, connection: request.connection,
      isReused: request.isReused, isResent: request.isResent, usage: usage,
      queued: request.arrivedAt.duration(to: request.assignedAt ?? now),
      total: request.arrivedAt.duration(to: now), events: request.eventsBefore)
    var laneActions: [Action] = []
    switch request.state {
    case .queued:
      upstreams[index].queue.remove(number)
      upstreams[index].waitingCount -= 1
    case .bound, .pinned:
      detach(request)
      upstreams[index].waitingCount -= 1
    case .ordered:
      leaveOrder(request)
      upstreams[index].waitingCount -= 1
    case .running(let connection, let lane):
      if let running = running(on: connection, lane: lane, of: request) {
        completion.add(running, arrivedAt: request.arrivedAt)
        if let lane = upstreams[index].pool.connections[connection]?.lanes[lane] {
          completion.add(lane.steering)
        }
        laneActions = leave(lane, of: connection, index, running, fate, at: now)
      }
    }
    count(outcome, error)
    var actions: [Action] = [.finish(number, error, completion)]
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .saysTheLastLineTwice, outcome == .cancelled {
        actions += actions
      }
    #endif
    actions += laneActions
    actions += closeIfDone(request.client)
    advanceOrder(after: request)
    return actions
  }

  /// What becomes of a lane when the request on it ends.
  enum LaneFate {
    /// The response has ended: the lane is free.
    case freed
    /// The response has ended, but more of it may come.
    case spent
    /// The response goes on, but nobody wants it.
    case unwanted
    /// The connection is being closed by the caller.
    case lost
  }

  private mutating func leave(
    _ lane: Int, of number: ConnectionNumber, _ index: Int, _ running: Lane.Running,
    _ fate: LaneFate, at now: MonotonicInstant
  ) -> [Action] {
    switch fate {
    case .freed:
      freeLane(lane, of: number, index, running, at: now)
      return []
    case .spent:
      freeLane(lane, of: number, index, running, isSpent: true, at: now)
      return []
    case .lost:
      upstreams[index].pool.connections[number]?.lanes[lane].state = .idle
      return []
    case .unwanted:
      break
    }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .reusesALaneBeforeTheTerminalEvent {
        upstreams[index].pool.connections[number]?.lanes[lane].state = .idle
        return []
      }
    #endif
    // With others beside it, a response that nobody wants costs its lane, not their connection.
    let isAlone = upstreams[index].pool.connections[number]?.lanesUsable == 1
    if isAlone, upstreams[index].pool.dropAllowed(at: now) {
      counters.responsesDropped += 1
      upstreams[index].pool.connections[number]?.lanes[lane].state = .idle
      return close(number, of: index, .abandoned, at: now)
    }
    counters.responsesDrained += 1
    let giveUpAt = now.advanced(by: upstreams[index].pool.limits.abandonedTimeout)
    upstreams[index].pool.connections[number]?.lanes[lane].state =
      .abandoned(running, giveUpAt: giveUpAt)
    return askToCancel(lane, of: number, index)
  }

  /// The response on a lane has ended by its terminal event.
  ///
  /// - Parameter isSpent: more of it may come nevertheless.
  mutating func freeLane(
    _ lane: Int, of number: ConnectionNumber, _ index: Int, _ running: Lane.Running,
    isSpent: Bool = false, at now: MonotonicInstant
  ) {
    let limits = upstreams[index].pool.limits
    let isServed = upstreams[index].pool.connections[number]?
      .responseEnded(running, on: lane, isSpent: isSpent, limits, at: now)
    if isServed == true { upstreams[index].pool.warmUps.requestServed() }
  }

  /// Closes a connection on which nothing wanted runs, and finds other ways for what waits for it.
  mutating func close(
    _ connection: ConnectionNumber, of index: Int, _ reason: CloseReason, at now: MonotonicInstant
  ) -> [Action] {
    counters.connectionsClosed[reason, default: 0] += 1
    let action = upstreams[index].pool.close(connection, reason)
    return [action] + orphan(of: connection, index, at: now)
  }

  /// Takes a connection out of use: it is closed when nothing wanted runs on it any more, which may
  /// be now.
  mutating func retire(
    _ number: ConnectionNumber, of index: Int, _ reason: CloseReason, at now: MonotonicInstant
  ) -> [Action] {
    guard let connection = upstreams[index].pool.connections[number], connection.isOpen else {
      return []
    }
    releasePinned(of: number, index)
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .closesWithOthersRunning {
        return close(number, of: index, reason, at: now)
      }
    #endif
    guard upstreams[index].pool.connections[number]?.isUnwanted == false else {
      return close(number, of: index, reason, at: now)
    }
    if connection.isReady { upstreams[index].pool.connections[number]?.state = .retiring(reason) }
    return orphanBound(of: number, index, at: now) { $0.isSpent }
  }

  /// Requests that wait for a connection that is gone: lost, or content with another one.
  mutating func orphan(
    of connection: ConnectionNumber, _ index: Int, at now: MonotonicInstant
  ) -> [Action] {
    releasePinned(of: connection, index)
    return orphanBound(of: connection, index, at: now) { _ in true }
  }

  /// What prefers a connection takes any.
  private mutating func releasePinned(of number: ConnectionNumber, _ index: Int) {
    guard let pinned = upstreams[index].pool.connections[number]?.pinned, !pinned.isEmpty else {
      return
    }
    for request in pinned {
      // Letting one wait in the queue may have brought others there.
      guard let record = requests[request], case .pinned = record.state else { continue }
      detach(record)
      enqueue(request)
    }
  }

  /// What continues a response of a lane that takes no more has lost its conversation.
  private mutating func orphanBound(
    of number: ConnectionNumber, _ index: Int, at now: MonotonicInstant,
    where isGone: (Lane) -> Bool
  ) -> [Action] {
    guard let lanes = upstreams[index].pool.connections[number]?.lanes else { return [] }
    let bound = lanes.filter(isGone).flatMap(\.bound)
    return bound.flatMap { request in
      requests[request].map {
        end(request, .error, with: conversationLostError(of: $0), at: now)
      } ?? []
    }
  }

  private mutating func count(_ outcome: Outcome, _ error: HotlineError?) {
    counters.requestsEnded[outcome, default: 0] += 1
    if let error { counters.errorsByCode[error.code, default: 0] += 1 }
  }

  // MARK: What is known of a request

  func running(
    on connection: ConnectionNumber, lane: Int, of request: Request
  ) -> Lane.Running? {
    let pool = upstreams[request.spec.upstream.rawValue].pool
    guard let running = pool.connections[connection]?.lanes[lane].running,
      running.request == request.number
    else { return nil }
    return running
  }

  mutating func mutateRunning(
    on connection: ConnectionNumber, lane: Int, of request: Request,
    _ change: (inout Lane.Running) -> Void
  ) {
    let index = request.spec.upstream.rawValue
    guard var running = running(on: connection, lane: lane, of: request) else { return }
    change(&running)
    upstreams[index].pool.connections[connection]?.lanes[lane].state = .busy(running)
  }

  /// How much of a request may have reached the server, over all attempts.
  func sent(of request: Request) -> HotlineError.Sent {
    guard case .running(let connection, let lane) = request.state,
      let running = running(on: connection, lane: lane, of: request)
    else { return request.sentBefore }
    return max(running.sent, request.sentBefore)
  }
}

extension Lane.Running {
  var sent: HotlineError.Sent { isAnswered ? .yes : isHandedOver ? .unknown : .no }
}

extension Completion {
  fileprivate mutating func add(_ running: Lane.Running, arrivedAt: MonotonicInstant) {
    responseID = running.responseID
    firstEvent = running.firstEventAt.map { arrivedAt.duration(to: $0) }
    firstText = running.firstTextAt.map { arrivedAt.duration(to: $0) }
    events += running.eventsDelivered
  }

  fileprivate mutating func add(_ steering: Steering) {
    usage = usage ?? steering.usage
    earlierUsages = steering.earlierUsages
  }
}
