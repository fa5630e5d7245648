import DequeModule

extension Broker {
  // MARK: Where a request waits

  /// Lets a new request wait where it belongs: behind its conversation, for one connection, or in
  /// the queue.
  mutating func line(up number: RequestNumber, at now: MonotonicInstant) -> [Action] {
    guard let request = requests[number] else { return [] }
    let index = request.spec.upstream.rawValue
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .ignoresTheOrderOfAConversation { return place(number, at: now) }
    #endif
    if let key = request.conversationKey {
      if upstreams[index].orders[key] != nil {
        upstreams[index].orders[key]?.followers.append(number)
        requests[number]?.state = .ordered
        reschedule(number)
        return []
      }
      upstreams[index].orders[key] = Upstream.Order(current: number)
    }
    return place(number, at: now)
  }

  /// Where a request waits that waits for no other request.
  private enum Destination {
    /// The only lane that could serve it is gone.
    case lost
    /// The lane that made what it continues.
    case lane(Affinity.Place)
    /// One connection, for so long.
    case connection(ConnectionNumber, patience: Duration)
    case queue
  }

  private func destination(
    of spec: NewRequest, from client: ClientNumber, uid: UInt32, at now: MonotonicInstant
  ) -> Destination {
    // Not held in a variable: a copy of the pool would cost more than all the rest.
    let index = spec.upstream.rawValue
    if let key = spec.previousResponseKey(of: uid) {
      let origin = upstreams[index].affinity.origin(of: key)
      let place = origin.flatMap { goesOn(at: $0.place, of: index) ? $0.place : nil }
      let isTied =
        upstreams[index].pool.settings.continuation == .connection || origin?.isStored == false
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .losesConversationsForNothing, let place,
          upstreams[index].pool.connections[place.connection]?.isIdle == false
        {
          return isTied ? .lost : .queue
        }
      #endif
      switch (isTied, place) {
      case (true, let place?): return .lane(place)
      case (true, nil): return .lost
      case (false, let place?): return preferred(place.connection, spec, uid, of: index, at: now)
      case (false, nil): break
      }
    }
    if let preference = spec.preference(of: uid) {
      guard let number = upstreams[index].affinity.connection(for: preference) else {
        return .queue
      }
      return preferred(number, spec, uid, of: index, at: now)
    }
    // Whoever waits for the sake of a habit must not overtake who just waits.
    guard let number = clients[client]?.lastServedOn, upstreams[index].queue.isEmpty,
      !upstreams[index].patient.contains(where: { requests[$0]?.client == client })
    else { return .queue }
    return preferred(number, spec, uid, by: client, of: index, at: now)
  }

  /// What was made there can be continued there.
  private func goesOn(at place: Affinity.Place, of index: Int) -> Bool {
    guard let connection = upstreams[index].pool.connections[place.connection] else { return false }
    return connection.takesContinuations && connection.continues(on: place.lane)
  }

  /// A connection that is preferred for the prompt cache's sake, if it is of any use.
  ///
  /// - Parameter client: whose own requests it would not wait for: what it sends side by side is to
  ///   run side by side.
  private func preferred(
    _ number: ConnectionNumber, _ spec: NewRequest, _ uid: UInt32, by client: ClientNumber? = nil,
    of index: Int, at now: MonotonicInstant
  ) -> Destination {
    guard let connection = upstreams[index].pool.connections[number],
      upstreams[index].pool.takesAny(connection, at: now),
      now < connection.ages.marginAt
    else { return .queue }
    if connection.freeLane(suiting: spec, of: uid) == nil {
      guard upstreams[index].pool.limits.patience > .zero, connection.freeLane == nil else {
        return .queue
      }
      let isOwn = client != nil && connection.lanes.contains { $0.running?.client == client }
      if isOwn { return .queue }
    }
    return .connection(number, patience: upstreams[index].pool.limits.patience)
  }

  /// Whether a request, accepted now, would not be sent or ended at once.
  func wouldWait(
    _ spec: NewRequest, from client: ClientNumber, at now: MonotonicInstant
  ) -> Bool {
    let uid = clients[client]?.uid ?? ownerUID
    let index = spec.upstream.rawValue
    if let key = spec.conversationKey(of: uid), upstreams[index].orders[key] != nil { return true }
    if upstreams[index].pool.isDown, let other = alternative(to: spec) {
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .countsNotWhatWaitsElsewhere { return false }
      #endif
      var elsewhere = spec
      elsewhere.upstream = other
      elsewhere.alternatives = []
      return wouldWait(elsewhere, from: client, at: now)
    }
    guard upstreams[index].pool.refusal == nil else { return false }
    if heldUntil(index, at: now) != nil { return true }
    switch destination(of: spec, from: client, uid: uid, at: now) {
    case .lost: return false
    case .lane(let place):
      let connection = upstreams[index].pool.connections[place.connection]
      return connection?.canContinue(on: place.lane) != true
    case .connection(let number, _):
      let connection = upstreams[index].pool.connections[number]
      return connection?.freeLane(suiting: spec, of: uid) == nil
    case .queue:
      // Who waits for the sake of a habit comes to the queue with it, and may be before it there.
      return !upstreams[index].patient.isEmpty
        || upstreams[index].pool.bestFreeConnection(at: now) == nil
    }
  }

  /// Lets a request whose turn in its conversation has come wait for a connection.
  private mutating func place(_ number: RequestNumber, at now: MonotonicInstant) -> [Action] {
    guard let request = requests[number] else { return [] }
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .continuesOnAnyConnection {
        enqueue(number)
        return []
      }
    #endif
    let index = request.spec.upstream.rawValue
    switch destination(of: request.spec, from: request.client, uid: request.uid, at: now) {
    case .lost:
      return end(number, .error, with: conversationLostError(of: request), at: now)
    case .lane(let place):
      requests[number]?.isTied = true
      requests[number]?.state = .bound(to: place.connection, lane: place.lane)
      upstreams[index].pool.connections[place.connection]?.lanes[place.lane].bound.append(number)
      upstreams[index].attachedCount += 1
    case .connection(let connection, let patience):
      requests[number]?.state = .pinned(to: connection, until: now.advanced(by: patience))
      #if HOTLINE_PLANTED_FAULTS
        if PlantedFault.current == .waitsBeyondPatience {
          let until = now.advanced(by: .seconds(1000))
          requests[number]?.state = .pinned(to: connection, until: until)
        }
      #endif
      upstreams[index].pool.connections[connection]?.pinned.append(number)
      upstreams[index].attachedCount += 1
      if request.prefersByClient { upstreams[index].patient.append(number) }
    case .queue:
      enqueue(number)
    }
    reschedule(number)
    return []
  }

  /// Takes a request out of the line of its connection or lane. Linear in the line, which
  /// `queueRequestsMax` bounds; a line that kept what left would grow for as long as the response
  /// before it runs.
  mutating func detach(_ request: Request) {
    let index = request.spec.upstream.rawValue
    switch request.state {
    case .bound(let connection, let lane):
      upstreams[index].pool.connections[connection]?.lanes[lane].bound
        .removeAll { $0 == request.number }
      upstreams[index].attachedCount -= 1
    case .pinned(let connection, _):
      upstreams[index].pool.connections[connection]?.pinned.removeAll { $0 == request.number }
      upstreams[index].attachedCount -= 1
      upstreams[index].patient.removeAll { $0 == request.number }
    case .queued, .ordered, .running:
      break
    }
  }

  /// Lets a request wait for any connection.
  mutating func enqueue(_ number: RequestNumber, atFront: Bool = false) {
    guard let request = requests[number] else { return }
    let index = request.spec.upstream.rawValue
    requests[number]?.state = .queued
    upstreams[index].queue.add(
      number, of: request.client, priority: request.spec.priority, atFront: atFront)
    reschedule(number)
    while let patient = upstreams[index].patient.first {
      if let request = requests[patient] { detach(request) }
      enqueue(patient)
    }
  }

  private mutating func reschedule(_ number: RequestNumber) {
    guard let next = requests[number]?.nextDeadline else { return }
    deadlines.schedule(number, at: next)
  }

  func conversationLostError(
    of request: Request, sent: HotlineError.Sent = .no
  ) -> HotlineError {
    HotlineError(
      .conversationLost,
      "no open connection can continue previous_response_id; send the conversation again in full",
      sent: max(sent, request.sentBefore), param: "previous_response_id")
  }

  /// Takes a request that ended before its turn out of its conversation.
  mutating func leaveOrder(_ request: Request) {
    guard let key = request.conversationKey else { return }
    let index = request.spec.upstream.rawValue
    upstreams[index].orders[key]?.followers.removeAll { $0 == request.number }
  }

  /// The next request of a conversation may go when the one before has ended.
  ///
  /// It is placed later, by ``placeReleased(_:at:)``: placing may end it, which releases the next,
  /// and a conversation may be as long as the queue.
  mutating func advanceOrder(after request: Request) {
    guard let key = request.conversationKey else { return }
    let index = request.spec.upstream.rawValue
    // A follower that gave up changes nothing.
    guard upstreams[index].orders[key]?.current == request.number else { return }
    guard let next = upstreams[index].orders[key]?.followers.popFirst() else {
      upstreams[index].orders[key] = nil
      return
    }
    upstreams[index].orders[key]?.current = next
    upstreams[index].released.append(next)
  }

  /// Places the requests whose turn has come, those too whose turn comes by that.
  mutating func placeReleased(_ index: Int, at now: MonotonicInstant) -> [Action] {
    var actions: [Action] = []
    while let number = upstreams[index].released.popFirst() {
      actions += place(number, at: now)
    }
    return actions
  }
}

extension UpstreamSettings {
  /// A request's response can be continued on other connections than that which makes it.
  func stores(_ spec: NewRequest) -> Bool {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .ignoresWhatIsNotStored { return continuation == .anywhere }
    #endif
    return continuation == .anywhere && (forcesStoreFalse || !spec.isUnstored)
  }
}

extension UpstreamConnection {
  /// What waits for it already is served; what comes while it retires has to go elsewhere.
  fileprivate var takesContinuations: Bool {
    #if HOTLINE_PLANTED_FAULTS
      if PlantedFault.current == .continuesOnARetiringConnection { return isOpen }
    #endif
    return isReady
  }

  /// A lane's latest response may be continued, now or after what runs there.
  func continues(on lane: Int) -> Bool { isOpen && !lanes[lane].isSpent }

  /// A request that continues a response of the lane can begin now.
  func canContinue(on lane: Int) -> Bool {
    guard isOpen, lanes[lane].isIdle else { return false }
    return laneEcho == .present || isIdle
  }
}
