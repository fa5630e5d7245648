import HotlineCore

/// Whom an event may be brought to.
extension Simulation {
  /// No event reaches a client that did not ask for it.
  ///
  /// What carries no id and comes after the next request on its connection began cannot be told
  /// from that request's own; such a connection is excused from then on.
  func deliver(_ number: RequestNumber) {
    guard case .message(let on, let message) = atHand, let connection = connections[on] else {
      return complain("delivered, though no event is at hand")
    }
    guard let request = requests[number], request.isOpen, let attempt = request.attempts.last else {
      return complain("delivered to \(describe(number)), which is not open")
    }
    guard connection.isOpenToCore, attempt.connection == on else {
      return complain("delivered to \(describe(number)), which does not run on C\(on.rawValue)")
    }
    guard attempt.isHandedOver else {
      return complain("an event reached \(describe(number)) before it was handed over")
    }
    let isOfConnection = message.owner == nil && !message.facts.isResponseEvent
    guard message.owner == number || isOfConnection || connection.isConfused else {
      return complain("an event of \(describe(message.owner)) reached \(describe(number))")
    }
    requests[number]?.delivered += 1
    tally.delivered += 1
    switch (request.spec.events, message.facts.kind) {
    case (.all, _), (_, .terminal), (_, .error), (.text, .text): break
    default: return complain("\(describe(number)) did not want this event")
    }
    guard let client = clients[request.client], client.isStalled else { return }
    if isFull(client) { indulge(request, on) }
    clients[request.client]?.unreadBytes += message.bytes
    memoryHeld += message.bytes
  }
}
