import HotlineCore
import NIOCore

/// Opens one TCP connection to a host, to whichever of its addresses answers first.
///
/// The driver of ``ConnectionRace``. Confined to its loop.
final class TCPConnector {
  private let eventLoop: any EventLoop
  private let host: String
  private let port: Int
  private let isIPAddress: Bool
  private let lookups: PendingLookups
  private let makeChannel: UpstreamDial.ChannelMaker
  private var race: ConnectionRace
  private var channels: [Int: any Channel] = [:]
  private var timer: Scheduled<Void>?
  /// Called once; `nil` afterwards, and after ``cancel()``.
  private var completion: (((any Channel)?) -> Void)?

  init(
    to host: String, port: Int, isIPAddress: Bool, eventLoop: any EventLoop,
    lookups: PendingLookups, makeChannel: @escaping UpstreamDial.ChannelMaker
  ) {
    self.host = host
    self.port = port
    self.isIPAddress = isIPAddress
    self.eventLoop = eventLoop
    self.lookups = lookups
    self.makeChannel = makeChannel
    race = ConnectionRace(port: port)
  }

  /// What has been tried, and with what result.
  var report: String { race.report }

  /// - Parameter completion: gets the connected channel, or nothing where ``report`` says why.
  ///   Never before this returns.
  func start(_ completion: @escaping ((any Channel)?) -> Void) {
    self.completion = completion
    guard !isIPAddress else {
      eventLoop.assumeIsolated().execute { [self] in
        perform(race.found([host], .any, at: now))
      }
      return
    }
    // Two calls, as one for both families would wait for the slower answer, and some name servers
    // never give one for IPv6.
    for family in [NameLookup.Family.ipv6, .ipv4] {
      lookups.ask(for: host, family) { [weak self] in self?.lookedUp(family, $0) }
    }
  }

  /// Ends what is under way; nothing is called any more.
  func cancel() {
    completion = nil
    timer?.cancel()
    timer = nil
    for channel in channels.values { channel.close(promise: nil) }
    channels = [:]
  }

  private var now: MonotonicInstant {
    MonotonicInstant(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds))
  }

  private func lookedUp(_ family: NameLookup.Family, _ result: PendingLookups.Answer) {
    guard completion != nil else { return }
    switch result {
    case .success(let addresses): perform(race.found(addresses, family, at: now))
    case .failure(let failure): perform(race.lookupFailed(family, failure, at: now))
    }
  }

  private func perform(_ actions: [ConnectionRace.Action]) {
    for action in actions {
      switch action {
      case .connect(let attempt, let address): connect(attempt, address)
      case .giveUp: complete(nil)
      }
    }
    timer?.cancel()
    timer = nil
    guard completion != nil, let deadline = race.nextDeadline else { return }
    timer = eventLoop.assumeIsolated().scheduleTask(
      deadline: .uptimeNanoseconds(UInt64(clamping: deadline.nanoseconds))
    ) { [self] in
      timer = nil
      perform(race.deadlineReached(at: now))
    }
  }

  private func connect(_ attempt: Int, _ address: String) {
    let target: SocketAddress
    do {
      target = try SocketAddress(ipAddress: address, port: port)
    } catch {
      return failed(attempt, "not an address that can be used")
    }
    let channel: StreamChannel
    do {
      channel = try makeChannel(target)
    } catch {
      return failed(attempt, describe(error))
    }
    // So that an attempt that is no longer needed can be ended.
    channels[attempt] = channel
    channel.connect(to: target).assumeIsolated().whenComplete { [self] result in
      channels[attempt] = nil
      switch result {
      case .success where completion == nil: channel.close(promise: nil)
      case .success: complete(channel)
      case .failure(let error): failed(attempt, describe(error))
      }
    }
  }

  /// Later, as an attempt may fail while it is begun.
  private func failed(_ attempt: Int, _ reason: String) {
    eventLoop.assumeIsolated().execute { [self] in
      guard completion != nil else { return }
      perform(race.attemptFailed(attempt, reason, at: now))
    }
  }

  private func complete(_ channel: (any Channel)?) {
    let completion = completion
    cancel()
    completion?(channel)
  }
}
