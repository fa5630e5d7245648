import HotlineCore

/// A local program, as it really is.
struct SimulatedClient {
  enum Line: Hashable {
    /// Nothing was connected yet, or all is over.
    case gone
    case open
    case halfClosed
  }

  let number: ClientNumber
  let uid: UInt32
  /// The configuration lets it in, whoever it is.
  let isAllowed: Bool
  var line = Line.open
  /// The core took it, so that its lines are read.
  var isAccepted = true
  var closeIsAsked = false
  /// It reads nothing, so that what is written to it waits.
  var isStalled = false
  var unreadBytes = 0
  var open: [RequestID: RequestNumber] = [:]
  /// Ids of requests that it made, open or not, for cancels and re-use.
  var idsUsed: [RequestID] = []
  /// Responses that it could continue.
  var responses: [ByteString] = []

  /// Neither root nor the user whose daemon it is: it may use only what is its own.
  var isStranger: Bool { uid != 1000 && uid != 0 }
  var mayAsk: Bool { line == .open && isAccepted && !closeIsAsked }
}

/// One lane of a connection, as it really is.
struct SimulatedLane {
  /// The request whose response is not over, as far as the core can know.
  var current: RequestNumber?
  /// When what has been planned on it so far is over on the server's side.
  var busyUntil: Int64 = 0
  /// The latest response that its server finished.
  var latestResponse: ByteString?
  /// All that ended here by their terminal events.
  var pastResponses: Set<ByteString> = []
  /// When the latest response ended, if somebody may want to continue it here.
  var chainAt: Int64?
  /// Requests tied to it that were served here without a break while others waited for any.
  var tiedInARow = 0
  var latestOutcome: Outcome?
  var steering = TrueSteering()
  /// More of a response that has ended may come: nothing may be sent here again.
  var isSpent = false
  /// The core may have stopped to read what nobody wants; a ping that is due comes first.
  var mayBeSpent = false
  /// When the core stops to read a response that nobody wants.
  var giveUpAt: Int64?
}

/// A connection between the driver and a simulated server, as it really is.
struct SimulatedConnection {
  enum State: Hashable {
    case dialing
    case open
    /// Its end has been told to the core.
    case gone
  }

  /// Whether its server names lanes, as far as the core can know.
  enum Echo: Hashable { case unknown, present, absent }

  let number: ConnectionNumber
  let upstream: UpstreamIndex
  let dialedAt: Int64
  var state = State.dialing
  /// The core asked to close it.
  var closeIsAsked = false
  /// It no longer exists on the server's side.
  var isCut = false
  /// Since when nothing comes from it any more, though it looks open.
  var silentAt: Int64?
  var openedAt: Int64 = 0
  /// When its latest response ended, or it opened.
  var activeAt: Int64 = 0
  /// What was sent on the daemon's own behalf when it opened, and whether that has ended.
  var warmUp: RequestNumber?
  var isWarmedUp = false
  /// A request may have ended here.
  var mayHaveServed = false
  /// As many as were configured when it was dialled.
  var lanes: [SimulatedLane]
  var echo = Echo.unknown
  /// A message that nobody can tell from one of the running request has arrived: from then on
  /// nobody can tell what belongs to whom here.
  var isConfused = false
  /// Something happened after which the core may let it finish what it has, and no more.
  var isMarred = false
  /// An interrupt or a cancel was sent on it: what that does to a lane of a confused one is not
  /// known.
  var wasInterrupted = false
  /// The step of the reload that changed what it was made with.
  var outdatedAt: Int?
  /// The clock has jumped since it was last heard.
  var hasSlept = false
  /// How its server ended it, and the requests that would be lost again.
  var ending: ConnectionFailure?
  /// When it was lost, and when anything came from its server last.
  var lostAt: Int64?
  var heardAt: Int64 = 0
  /// When it is pinged, if nothing is heard until then.
  var pingDueAt: Int64 = 0
  /// When it is given up, at the earliest and at the latest, if nothing is heard after the pings
  /// that were sent since it was heard last.
  var givenUp: (from: Int64, until: Int64)?
  var finalFor: Set<RequestNumber> = []
  /// Requests whose responses its server has ended because it was asked to.
  var cancelled: Set<RequestNumber> = []
  /// The driver's, for the client whose response alone runs here.
  var patience = ReaderPatience()
  /// Since when its server is held up: what it says meanwhile waits in `held`.
  var heldSince: Int64?
  var held: [Occurrence] = []
  var isReadingHeld = false
  /// Since the client last kept up: an event was taken for it though it was full, and its server
  /// was held up for as long as may be.
  var isIndulged = false
  var wasHeld = false

  init(number: ConnectionNumber, upstream: UpstreamIndex, lanesCount: Int, dialedAt: Int64) {
    self.number = number
    self.dialedAt = dialedAt
    self.upstream = upstream
    lanes = Array(repeating: SimulatedLane(), count: lanesCount)
  }

  var isSilent: Bool { silentAt != nil }
  /// The core believes that it is open.
  var isOpenToCore: Bool { state == .open && !closeIsAsked }
  /// It counts against `connectionsMax`.
  var isLiving: Bool { state != .gone && !closeIsAsked }
  var isDialing: Bool { state == .dialing && !closeIsAsked }
  var isBusy: Bool { lanes.contains { $0.current != nil } }
  /// Takes no more than what waits for it, or may take no more.
  var mayBeRetiring: Bool { isMarred || outdatedAt != nil || (isConfused && wasInterrupted) }

  /// Nothing runs on it but its warm-up.
  var isWarming: Bool {
    isBusy && lanes.allSatisfy { $0.current == nil || $0.current == warmUp }
  }

  func lane(of request: RequestNumber) -> Int? {
    lanes.firstIndex { $0.current == request }
  }

  /// A lane is free that the core may use now.
  var hasFreeLane: Bool {
    echo == .present ? lanes.contains { $0.current == nil && !$0.isSpent } : !isBusy
  }

  /// The lane that a message is of, as far as the core can know; nil: it is of all, or of none.
  func lane(of facts: EventFacts) -> Int? {
    guard lanes.count > 1, echo != .absent else { return 0 }
    switch facts.lane {
    case .lane(let lane): return lane < lanes.count ? lane : nil
    case .unknown: return nil
    case .none: break
    }
    guard echo == .present else { return 0 }
    guard !facts.isResponseEvent, !facts.saysConnectionIsOver else { return nil }
    let busy = lanes.indices.filter { lanes[$0].current != nil && !lanes[$0].mayBeSpent }
    return busy.count == 1 ? busy[0] : nil
  }
}

extension EventFacts {
  var endsAResponse: Bool {
    switch kind {
    case .terminal, .error: true
    case .progress, .text, .notice, .unusable: false
    }
  }

  /// An error that says that the connection, not a request, has come to its end.
  var saysConnectionIsOver: Bool {
    guard kind == .error, let errorCode else { return false }
    return errorCode == "websocket_connection_limit_reached" || errorCode == "session_expired"
      || errorCode == "beta_api_shape_disabled"
  }
}

/// A line that is answered later than it came.
struct SimulatedCommand {
  let client: ClientNumber
  var isAnswered = false
}

/// An accepted request, as it really fared.
struct TrueRequest {
  /// One sending of it to a connection.
  struct Attempt {
    var connection: ConnectionNumber
    var lane = 0
    /// Its message carried its lane's name.
    var isNamed = false
    /// The core was told that its last byte was handed over.
    var isHandedOver = false
    /// A message that is or may be of it, and no notice, was told.
    var isAnswered = false
    /// A `response.*` event that is or may be of it was told.
    var isBegun = false
    /// The server refused it because of the connection.
    var isRefused = false
    var responseID: ByteString?
  }

  let number: RequestNumber
  let client: ClientNumber
  let uid: UInt32
  let id: RequestID
  /// As it came, but for the upstream that it went to since.
  var spec: NewRequest
  let arrivedAt: Int64
  /// The step in which it was accepted.
  let arrivedIn: Int
  let deadline: Int64
  let waitTimeout: Int64
  /// How many were waiting at its upstream when it came, itself included.
  let position: ClosedRange<Int>
  /// Of its line, held until nothing can make the daemon send it again.
  var lineBytes = 0
  /// When its connection was lost, or its server sent it elsewhere; nil while it runs.
  var waitsAgainSince: Int64?
  /// How long it may wait for another.
  var waitsAgainUntil: Int64 = 0
  /// The core could know who made what it continues when its turn came.
  var isRemembered = false
  var attempts: [Attempt] = []
  /// From when on nothing but the lack of a connection holds it back; nil while an earlier request
  /// of its conversation is open.
  var turnAt: Int64?
  /// The connections that suited it best then.
  var suited: Set<ConnectionNumber> = []
  /// How long it may wait for one of them.
  var patience: Int64 = 0
  var isOpen = true
  /// The daemon's own: nobody's, and never open.
  var isWarmUp = false
  var isNoticed = false
  /// When it is to be told that it waits, if it still does.
  var noticeAt: Int64 = .max
  var delivered = 0
  var cancelIsAsked = false
  var isCancelledByAnother = false
  /// The terminal event of it, or what may be it, that was told last.
  var terminal: Outcome?
  /// An `error` that is or may be its was told.
  var errorIsTold = false
  /// Requests of each other client that were served while it was the first of its own to wait.
  var overtakers: [ClientNumber: Int] = [:]

  /// Any connection may serve it, nothing holds it back, and it has not been served.
  var isPlain: Bool {
    spec.conversation == nil && spec.previousResponseID == nil && attempts.isEmpty
  }
  var wasHandedOver: Bool { attempts.contains(where: \.isHandedOver) }
}
