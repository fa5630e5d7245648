import Testing

@testable import HotlineSystem

@Suite final class RouteMessagesTests {
  private static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number) { Array($0) }
  }

  private static func message(_ type: UInt16, _ body: [UInt8]) -> [UInt8] {
    let length = bytes(UInt32(16 + body.count))
    let padding = [UInt8](repeating: 0, count: -body.count & 3)
    return length + bytes(type) + [UInt8](repeating: 0, count: 10) + body + padding
  }

  private static func link(
    _ index: UInt32, _ flags: UInt32, family: UInt8 = 0, type: UInt16 = 16
  ) -> [UInt8] {
    message(type, [family, 0, 0, 0] + bytes(index) + bytes(flags) + bytes(UInt32.max))
  }

  private static func attribute(_ type: UInt16, _ value: [UInt8]) -> [UInt8] {
    bytes(UInt16(4 + value.count)) + bytes(type) + value
      + [UInt8](repeating: 0, count: -value.count & 3)
  }

  private static func address(
    _ last: UInt8, flags: UInt8 = 0x80, lifetime: UInt8 = 1, type: UInt16 = 20
  ) -> [UInt8] {
    message(
      type,
      [2, 24, flags, 0] + bytes(UInt32(2)) + attribute(1, [10, 0, 0, last])
        + attribute(6, [lifetime]))
  }

  private static func route(
    via gateway: UInt8, flags: UInt32 = 0, lifetime: UInt8 = 1, type: UInt16 = 24
  ) -> [UInt8] {
    message(
      type,
      [2, 0, 0, 0, 254, 3, 0, 1] + bytes(flags) + attribute(5, [10, 0, 0, gateway])
        + attribute(12, [lifetime]))
  }

  private static let (up, down): (UInt32, UInt32) = (0x1 | 0x40 | 0x10000, 0x1)
  private static let (deletedLink, deletedAddress, deletedRoute): (UInt16, UInt16, UInt16) =
    (17, 21, 25)

  private var messages = RouteMessages(entriesMax: 100)

  private func take(_ datagram: [UInt8]...) -> Bool {
    datagram.flatMap { $0 }.withUnsafeBytes { messages.take($0[...]) }
  }

  @Test func whatIsOnlySaidAgainIsNoChange() {
    for (first, again) in [
      (Self.link(2, Self.up), Self.link(2, Self.up | 0x1000)),
      (Self.address(1), Self.address(1, lifetime: 9)),
      (Self.route(via: 1), Self.route(via: 1, lifetime: 9)),
    ] {
      #expect(take(first))
      #expect(!take(again))
      #expect(!take(again, again))
    }
  }

  @Test func everyOtherStateIsAChange() {
    #expect(take(Self.link(2, Self.up)))
    #expect(take(Self.link(2, Self.down)))
    #expect(take(Self.link(2, Self.up)))
    #expect(take(Self.link(3, Self.up)))
    #expect(take(Self.address(1)))
    #expect(take(Self.address(2)))
    #expect(take(Self.address(1, flags: 0xA0)))
    #expect(take(Self.route(via: 1)))
    #expect(take(Self.route(via: 2)))
    #expect(take(Self.route(via: 2, flags: 1)))
    // One change among others in one datagram.
    #expect(take(Self.address(2), Self.route(via: 3), Self.link(2, Self.up)))
  }

  @Test func whatGoesTakesAddressesAndRoutesWithIt() {
    for gone in [
      Self.link(2, Self.up, type: Self.deletedLink), Self.link(2, Self.down),
      Self.address(2, type: Self.deletedAddress), Self.route(via: 2, type: Self.deletedRoute),
    ] {
      messages.forget()
      #expect(take(Self.link(2, Self.up)))
      #expect(take(Self.route(via: 1)))
      #expect(take(Self.address(1)))
      #expect(!take(Self.route(via: 1), Self.address(1)))
      #expect(take(gone))
      #expect(take(Self.route(via: 1)))
      #expect(take(Self.address(1)))
    }
  }

  @Test func notesOfRoutesInUseAndOfBridgesAreNoChange() {
    #expect(!take(Self.route(via: 1, flags: 0x200)))
    #expect(!take(Self.route(via: 1, flags: 0x200, type: Self.deletedRoute)))
    #expect(!take(Self.link(2, Self.up, family: 7)))
    #expect(!take(Self.link(2, Self.up, family: 7, type: Self.deletedLink)))
    // NLMSG_DONE, RTM_NEWNEIGH.
    #expect(!take(Self.message(3, []), Self.message(28, [1, 2, 3])))
    #expect(!take([]))
  }

  @Test func whatCannotBeReadMayBeAChange() {
    #expect(take(Self.link(2, Self.up)))
    let again = Self.link(2, Self.up)
    for count in 1..<again.count { #expect(take(Array(again[..<count])), "\(count) bytes") }
    for type: UInt16 in [16, 17, 20, 21, 24, 25] {
      for count in 0..<8 {
        #expect(take(Self.message(type, [UInt8](repeating: 0, count: count))), "\(type) \(count)")
      }
    }
    for length: UInt16 in [0, 3, 9, .max] {
      let attribute = Self.bytes(length) + Self.bytes(UInt16(1)) + [0, 0, 0, 0]
      #expect(take(Self.message(20, [2, 24, 0, 0, 2, 0, 0, 0] + attribute)), "\(length)")
    }
    for length: UInt32 in [0, 15, 33, .max] {
      #expect(take(Self.bytes(length) + again.dropFirst(4)), "\(length)")
    }
  }

  @Test func whatIsRememberedIsLimited() {
    messages = RouteMessages(entriesMax: 2)
    #expect(take(Self.link(1, Self.up), Self.link(2, Self.up)))
    #expect(!take(Self.link(1, Self.up), Self.link(2, Self.up)))
    #expect(take(Self.address(1), Self.address(2)))
    #expect(!take(Self.address(1), Self.address(2)))
    // A third makes all forgotten.
    #expect(take(Self.address(3)))
    #expect(take(Self.address(1)))
    #expect(take(Self.link(3, Self.up)))
    #expect(take(Self.link(1, Self.up)))
  }

  /// Linear congruential (Knuth, MMIX): the same bytes on every run.
  private struct Randomness {
    var state: UInt64

    mutating func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func noBytesDoHarm(_ seed: UInt64) {
    var random = Randomness(state: seed)
    let whole = Self.link(2, Self.up) + Self.address(1) + Self.route(via: 1)
    for _ in 0..<5000 {
      var bytes = whole
      for _ in 0..<random.next(6) { bytes[random.next(bytes.count)] = UInt8(random.next(256)) }
      bytes.removeLast(random.next(bytes.count))
      _ = take(bytes)
    }
    messages.forget()
    #expect(take(whole))
    #expect(!take(whole))
  }
}
