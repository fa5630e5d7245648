import HotlineCore

/// Clients that read slowly, and the memory that all of them may hold.
///
/// The driver's rules are those of the core's `ReaderPatience`, as in the daemon; what comes of
/// them is checked here by what can be seen: events taken, servers held up, requests ended.
extension Simulation {
  // MARK: The driver's part

  /// Requests that run on a connection and are wanted: the driver knows no others.
  func wanted(on number: ConnectionNumber) -> [RequestNumber] {
    connections[number]?.lanes.compactMap(\.current).filter { open.contains($0) } ?? []
  }

  private var isOverMemory: Bool { memoryHeld > scenario.limits.memoryBytesMax }

  /// What counts against the client that an event is for.
  func unreadBytes(on number: ConnectionNumber, for facts: EventFacts) -> Int {
    let all = wanted(on: number)
    let named =
      if case .lane(let lane) = lane(of: facts, on: number), let lanes = connections[number]?.lanes,
        lanes.count > 1
      {
        all.first { lane < lanes.count && lanes[lane].current == $0 }
      } else {
        all.count == 1 ? all.first : nil
      }
    guard let named, let client = requests[named]?.client else {
      // What is for all goes to nobody while one of them is full.
      let unread = all.compactMap { requests[$0].flatMap { clients[$0.client]?.unreadBytes } }
      return facts.lane == .none ? unread.max() ?? 0 : 0
    }
    let unread = clients[client]?.unreadBytes ?? 0
    return connections[number]?.patience.unreadBytes(
      unread, isAlone: all.count == 1, isOverMemory: isOverMemory, limits: scenario.limits) ?? 0
  }

  private func lane(of facts: EventFacts, on number: ConnectionNumber) -> LaneReference {
    guard let upstream = connections[number]?.upstream else { return facts.lane }
    return broker.lane(of: facts, on: number, of: upstream)
  }

  /// A connection that is not being read brings nothing; what its server says waits.
  func holdsBack(_ occurrence: Occurrence, on connection: SimulatedConnection) -> Bool {
    guard connection.isOpenToCore, !connection.isReadingHeld,
      connection.heldSince != nil || !connection.held.isEmpty
    else { return false }
    connections[connection.number]?.held.append(occurrence)
    return true
  }

  func holdIfWanted(_ number: ConnectionNumber) {
    guard let connection = connections[number], connection.isOpenToCore,
      connections[number]?.patience.readEnded() == true
    else { return }
    if isTraced { note("C\(number.rawValue) is not read for a while") }
    connections[number]?.heldSince = now
    let timeout = scenario.upstreams[connection.upstream.rawValue].limits.pongTimeout
    let holdTime = ReaderPatience.holdTime(pongTimeout: timeout).nanoseconds
    if holdTime > min(.seconds(5), timeout.nanoseconds / 2) {
      return complain("C\(number.rawValue) is held up for too long")
    }
    agenda.plan(.holdEnds(number, since: now), at: now + holdTime)
  }

  func holdEnds(of number: ConnectionNumber, since: Int64) {
    guard connections[number]?.heldSince == since else { return }
    endHold(of: number)
    readHeld(of: number)
  }

  private func endHold(of number: ConnectionNumber) {
    connections[number]?.patience.timeRanOut()
    connections[number]?.heldSince = nil
    connections[number]?.wasHeld = true
  }

  /// How long a server may be held up follows from how long its pong may take.
  func endHoldsForReload() {
    for number in present.sorted() where connections[number]?.heldSince != nil {
      endHold(of: number)
      agenda.plan(.heldIsRead(number), at: now)
    }
  }

  /// The client has caught up, its request has ended, or another runs beside it.
  func release(_ number: ConnectionNumber) {
    connections[number]?.patience.released()
    connections[number]?.isIndulged = false
    connections[number]?.wasHeld = false
    guard connections[number]?.heldSince != nil else { return }
    connections[number]?.heldSince = nil
    agenda.plan(.heldIsRead(number), at: now)
  }

  func readHeld(of number: ConnectionNumber) {
    guard connections[number]?.heldSince == nil, connections[number]?.isReadingHeld == false else {
      return
    }
    connections[number]?.isReadingHeld = true
    while violation == nil, connections[number]?.heldSince == nil,
      connections[number]?.held.isEmpty == false,
      let next = connections[number]?.held.removeFirst()
    {
      handle(next)
    }
    connections[number]?.isReadingHeld = false
  }

  func resume(_ number: ClientNumber) {
    guard let client = clients[number] else { return }
    memoryHeld -= client.unreadBytes
    clients[number]?.isStalled = false
    clients[number]?.unreadBytes = 0
    for connection in present.sorted() {
      let all = wanted(on: connection)
      if all.count == 1, requests[all[0]]?.client == number { release(connection) }
    }
  }

  /// Nothing can make the daemon send the request again.
  func releaseLine(of number: RequestNumber, on connection: ConnectionNumber? = nil) {
    guard let request = requests[number],
      connection == nil || (request.isOpen && request.attempts.last?.connection == connection)
    else { return }
    memoryHeld -= request.lineBytes
    requests[number]?.lineBytes = 0
  }

  // MARK: Checks

  /// It has something unread, and that is as much as it or all together may have.
  func isFull(_ client: SimulatedClient) -> Bool {
    client.unreadBytes >= scenario.limits.bufferBytesMax || (client.unreadBytes > 0 && isOverMemory)
  }

  private func isAlone(_ number: RequestNumber, on connection: ConnectionNumber) -> Bool {
    wanted(on: connection).allSatisfy { $0 == number }
  }

  /// An event is taken for a client that is full: one, and then its server is held up.
  func indulge(_ request: TrueRequest, _ on: ConnectionNumber) {
    guard let connection = connections[on] else { return }
    guard isAlone(request.number, on: on), !connection.isIndulged else {
      return complain("delivered over the limit of unread bytes")
    }
    connections[on]?.isIndulged = true
  }

  /// A request ends because its client is full; where its server could be held up, that was done.
  func isTooSlow(_ request: TrueRequest) -> Bool {
    guard let client = clients[request.client], isFull(client), let last = request.attempts.last
    else { return false }
    return !isAlone(request.number, on: last.connection)
      || connections[last.connection]?.wasHeld == true
  }

  /// Beyond `memoryBytesMax` come only the events for which somebody is held up.
  func checkMemory() {
    // What a reload found held beyond its limit only shrinks.
    memoryBase = max(scenario.limits.memoryBytesMax, min(memoryBase, memoryHeld))
    let more = 1000 * (present.count + clients.count + 1)
    if memoryHeld > memoryBase + more {
      return complain(
        "\(memoryHeld) bytes are held, memory_max is \(scenario.limits.memoryBytesMax)")
    }
    if open.isEmpty, clients.values.allSatisfy({ $0.unreadBytes == 0 }), memoryHeld != 0 {
      complain("the simulation counts \(memoryHeld) bytes of nothing")
    }
  }
}
