import CEpoll
import Glibc

/// What a system call brought.
enum CallResult {
  /// Bytes, or a descriptor.
  case done(Int)
  /// There is nothing to do now; the descriptor's readiness tells when there is.
  case wouldBlock
  /// `errno`.
  case failed(CInt)
}

/// System calls on sockets that do not block. Interrupted ones are made again.
enum SystemCalls {
  static func read(_ descriptor: CInt, into space: UnsafeMutableRawBufferPointer) -> CallResult {
    result { recv(descriptor, space.baseAddress, space.count, 0) }
  }

  static func write(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer) -> CallResult {
    result { send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_NOSIGNAL)) }
  }

  static func accept(_ descriptor: CInt) -> CallResult {
    result { Int(cepoll_accept4(descriptor, nil, nil, socketFlags)) }
  }

  /// - Returns: `.wouldBlock` where it goes on.
  static func connect(
    _ descriptor: CInt, to address: UnsafeRawPointer, length: Int
  ) -> CallResult {
    switch result({ Int(cepoll_connect(descriptor, address, UInt32(length))) }) {
    case .failed(EINPROGRESS): .wouldBlock
    // Nothing goes on: the listener's backlog is full, or no port is free (connect(2)).
    case .wouldBlock: .failed(EAGAIN)
    case let result: result
    }
  }

  /// - Parameter family: an address family of socket(2).
  static func streamSocket(_ family: CInt) -> CallResult {
    result { Int(socket(family, CInt(SOCK_STREAM.rawValue) | socketFlags, 0)) }
  }

  /// A socket to listen on, bound to an address whose last user may have left connections behind.
  ///
  /// - Parameter address: of socket(2), in its own layout.
  static func boundSocket(
    _ family: CInt, at address: UnsafeRawPointer, length: Int
  ) -> CallResult {
    let result = streamSocket(family)
    guard case .done(let made) = result else { return result }
    let descriptor = CInt(made)
    _ = set(SO_REUSEADDR, of: SOL_SOCKET, to: 1, on: descriptor)
    guard cepoll_bind(descriptor, address, UInt32(length)) == 0 else {
      let number = errno
      _ = Glibc.close(descriptor)
      return .failed(number)
    }
    return .done(made)
  }

  /// That of an IP socket; both families have it behind the family's two bytes (ip(7), ipv6(7)).
  static func port(of descriptor: CInt) -> UInt16? {
    var address = [UInt8](repeating: 0, count: 128)
    var length = UInt32(address.count)
    guard cepoll_getsockname(descriptor, &address, &length) == 0 else { return nil }
    let family = address.withUnsafeBytes { CInt($0.load(as: UInt16.self)) }
    guard [AF_INET, AF_INET6].contains(family) else { return nil }
    return UInt16(address[2]) << 8 | UInt16(address[3])
  }

  static func set(_ option: CInt, of level: CInt, to value: CInt, on descriptor: CInt) -> Bool {
    var value = value
    return setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size)) == 0
  }

  static func value(of option: CInt, _ level: CInt, on descriptor: CInt) -> CInt? {
    var value: CInt = 0
    var length = socklen_t(MemoryLayout<CInt>.size)
    return getsockopt(descriptor, level, option, &value, &length) == 0 ? value : nil
  }

  /// What a connection has failed with; 0 if it has not.
  static func error(of descriptor: CInt) -> CInt {
    value(of: SO_ERROR, SOL_SOCKET, on: descriptor) ?? errno
  }

  static func shutDownWriting(_ descriptor: CInt) {
    _ = shutdown(descriptor, CInt(SHUT_WR))
  }

  static func doNotBlock(_ descriptor: CInt) {
    let flags = fcntl(descriptor, F_GETFL)
    _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
  }

  private static var socketFlags: CInt {
    CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
  }

  private static func result(_ call: () -> Int) -> CallResult {
    while true {
      let count = call()
      guard count < 0 else { return .done(count) }
      switch errno {
      case EINTR: continue
      case EAGAIN: return .wouldBlock
      case let number: return .failed(number)
      }
    }
  }
}

/// What a descriptor is ready for, or is to be watched for (epoll_ctl(2)).
struct Readiness: OptionSet {
  let rawValue: UInt32

  static let reading = Readiness(rawValue: 0x001)
  static let writing = Readiness(rawValue: 0x004)
  /// Always reported.
  static let error = Readiness(rawValue: 0x008)
  /// Neither side will send any more. Always reported.
  static let hangUp = Readiness(rawValue: 0x010)
  /// The peer will send no more.
  static let readingEnd = Readiness(rawValue: 0x2000)
}

/// One epoll(7) instance with its alarm clock and its bell.
struct Epoll {
  private static let add: CInt = 1
  private static let modify: CInt = 3
  private static let remove: CInt = 2

  private let descriptor: CInt
  /// Readable when the alarm has gone off.
  let timer: CInt
  /// Readable when another thread has something to say.
  let bell: CInt
  private let events: UnsafeMutableBufferPointer<cepoll_event>

  init() {
    descriptor = cepoll_create(CInt(O_CLOEXEC))
    timer = cepoll_timerfd_create(CLOCK_MONOTONIC, CInt(O_NONBLOCK | O_CLOEXEC))
    bell = cepoll_eventfd(0, CInt(O_NONBLOCK | O_CLOEXEC))
    precondition(descriptor >= 0 && timer >= 0 && bell >= 0, "no descriptors for the event loop")
    events = .allocate(capacity: 128)
    for own in [timer, bell] { watch(own, for: .reading, tag: UInt32(own), isNew: true) }
  }

  func close() {
    events.deallocate()
    for each in [descriptor, timer, bell] { _ = Glibc.close(each) }
  }

  func watch(_ watched: CInt, for readiness: Readiness, tag: UInt32, isNew: Bool) {
    var event = cepoll_event(
      events: readiness.rawValue, data: UInt64(tag) << 32 | UInt64(UInt32(watched)))
    let result = cepoll_ctl(descriptor, isNew ? Self.add : Self.modify, watched, &event)
    precondition(result == 0, "a descriptor cannot be watched")
  }

  func unwatch(_ watched: CInt) {
    var event = cepoll_event(events: 0, data: 0)
    _ = cepoll_ctl(descriptor, Self.remove, watched, &event)
  }

  /// - Parameter mayBlock: otherwise only what is ready by now is told.
  func wait(
    mayBlock: Bool, _ body: (_ descriptor: CInt, _ tag: UInt32, _ readiness: Readiness) -> Void
  ) {
    let count = cepoll_wait(
      descriptor, events.baseAddress, CInt(events.count), mayBlock ? -1 : 0)
    guard count > 0 else { return }
    for event in events.prefix(Int(count)) {
      body(
        CInt(truncatingIfNeeded: event.data), UInt32(truncatingIfNeeded: event.data >> 32),
        Readiness(rawValue: event.events))
    }
  }

  /// - Parameter nanoseconds: on the monotonic clock; what has passed goes off at once.
  func setAlarm(at nanoseconds: UInt64) {
    let absolute: CInt = 1
    // `struct itimerspec`: no interval, then seconds and nanoseconds; zero would turn it off.
    let at = max(nanoseconds, 1)
    let value = (0, 0, Int(at / 1_000_000_000), Int(at % 1_000_000_000))
    withUnsafeBytes(of: value) { bytes in
      _ = cepoll_timerfd_settime(timer, absolute, bytes.baseAddress, nil)
    }
  }

  func ring() {
    var one: UInt64 = 1
    _ = Glibc.write(bell, &one, 8)
  }

  /// Makes the alarm or the bell unreadable again.
  func silence(_ own: CInt) {
    var count: UInt64 = 0
    _ = Glibc.read(own, &count, 8)
  }
}
