import HotlineCore

/// How one answer goes.
enum Fate {
  case wholeAnswer, refusal, error, errorWithin, unusableWithin
  case lossBefore, loss, silenceBefore, silence, nothing, silentEnd

  init(_ faults: Scenario.Faults, _ random: inout Chance) {
    self = .wholeAnswer
    if random.chance(faults.connectionIsLost) { self = random.oneIn(2) ? .lossBefore : .loss }
    if random.chance(faults.fallsSilent) { self = random.oneIn(2) ? .silenceBefore : .silence }
    if random.chance(faults.refusesForConnection) { self = .refusal }
    if random.chance(faults.answersWithError) { self = .error }
    if random.chance(faults.errorInResponse) { self = .errorWithin }
    if random.chance(faults.unusableMessage) { self = .unusableWithin }
    if random.chance(faults.forgetsRequest) { self = random.oneIn(2) ? .nothing : .silentEnd }
  }
}

/// The messages of one answer, with their instants.
struct Script {
  enum End {
    case none, silence
    case cut(ConnectionFailure)
  }

  let owner: RequestNumber
  let lane: LaneReference
  var clock: Int64
  var messages: [(Int64, Message)] = []
  var end = End.none
  /// The response never ends, so that the server takes nothing else.
  var isEndless = false
  var isOver = false
  var responseID: ByteString?

  init(owner: RequestNumber, lane: LaneReference, startingAt clock: Int64) {
    self.owner = owner
    self.lane = lane
    self.clock = clock
  }

  mutating func wait(_ nanoseconds: Int64) { clock += nanoseconds }

  mutating func say(_ message: Message) {
    clock += 1000
    var message = message
    message.facts.lane = lane
    messages.append((clock, message))
  }

  private mutating func event(_ kind: EventFacts.Kind, hasID: Bool) -> Message {
    var facts = EventFacts(kind, isResponseEvent: true)
    if hasID { facts.responseID = responseID }
    return Message(facts: facts, owner: owner)
  }

  mutating func begin() {
    say(event(.progress, hasID: true))
    say(event(.progress, hasID: true))
  }

  mutating func delta(isText: Bool, bytes: Int) {
    var message = event(isText ? .text : .progress, hasID: false)
    message.bytes = bytes
    say(message)
  }

  mutating func finish(_ outcome: Outcome) {
    var message = event(.terminal(outcome), hasID: true)
    message.isLast = true
    message.facts.usage = "{}"
    say(message)
    isOver = true
  }

  mutating func fail(_ code: ByteString, param: ByteString? = nil, isRefusal: Bool = false) {
    var message = Message(facts: EventFacts(.error), owner: owner)
    message.facts.errorCode = code
    message.facts.errorParam = param
    message.facts.errorDetail = "\(code)"
    message.isLast = true
    say(message)
    isOver = !isRefusal
  }

  /// Says one message under another name.
  mutating func misname(_ choice: Int, as name: LaneReference) {
    guard !messages.isEmpty else { return }
    let index = choice % messages.count
    messages[index].1.facts.lane = name
    messages[index].1.isMisnamed = true
  }

  /// Says one message of the response twice, which does not end it.
  mutating func duplicate(_ choice: Int) {
    let indices = messages.indices.filter { !messages[$0].1.isLast }
    guard !indices.isEmpty else { return }
    let index = indices[choice % indices.count]
    messages.insert(messages[index], at: index + 1)
  }

  /// A message of the response after its end, told apart from others by its id or not at all.
  mutating func late(_ choice: Int) {
    var message: Message
    switch choice {
    case 0: message = event(.text, hasID: false)
    case 1: message = event(.progress, hasID: true)
    default: message = event(.terminal(.completed), hasID: true)
    }
    message.isLate = true
    say(message)
  }
}
