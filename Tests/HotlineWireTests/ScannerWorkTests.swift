import Fuzzing
import Glibc
import HotlineCore
import HotlineWire
import Testing

/// How often a byte is looked at, shown without a clock: bytes that must not be looked at (again)
/// lie in memory that may not be read, where a look ends the process.
@Suite struct ScannerWorkTests {
  @Test func aFloodOfBracketsIsReadToTheLimitOfNestingOnly() async {
    await #expect(processExitsWith: .success) {
      for opening in ["[", "{\"a\":", "[{\"\":", " [\n"] {
        let memory = GuardedMemory(pageCount: (64 << 20) / GuardedMemory.pageBytes)
        memory.fill(repeating: Array(opening.utf8))
        memory.forbid(pages: 1..<memory.pageCount)
        precondition(verdict(memory.bytes)?.reason == .depthExceeded)
        let message = ClientMessage.parse(memory.bytes)
        guard case .refused(let error, _) = message else { preconditionFailure("\(message)") }
        precondition(error.code == .invalidJSON)
      }
    }
  }

  /// The scanner sees every byte once from front to back: what lies behind its position is not
  /// needed any more, but for the values that its caller has asked for.
  @Test func theCursorNeverGoesBack() async {
    await #expect(processExitsWith: .success) {
      let elements = [
        "1", #""a\u00e9€""#, "[[],{}]", #"{"a":[1,{"b":null}]}"#, "-1.5e+10", "\t true \n",
        #""abcdefghijklmnopqrstuvwxyz""#, #"{"\ud83d\ude00":"\"\\"}"#,
      ]
      let memory = GuardedMemory(pageCount: 64)
      memory.fill(repeating: Array((elements.joined(separator: ",") + ",").utf8))
      memory.bytes[0] = UInt8(ascii: "[")
      memory.bytes[1] = UInt8(ascii: " ")
      var scanner = JSONScanner(UnsafeRawBufferPointer(memory.bytes))
      do throws(JSONError) {
        try scanner.enterArray()
        var count = 0
        while try scanner.nextElement() {
          let before = scanner.position
          _ = try scanner.skipValue()
          precondition(scanner.position > before)
          memory.forbid(pages: 0..<scanner.position / GuardedMemory.pageBytes)
          count += 1
        }
      } catch {
        // The last element is cut by the end of the memory.
        precondition(error.reason == .documentEnds, "\(error)")
        precondition(scanner.position > memory.bytes.count - 100)
      }
    }
  }

  @Test func theFramerSearchesNoByteTwice() async {
    await #expect(processExitsWith: .success) {
      let memory = GuardedMemory(pageCount: 64)
      memory.fill(repeating: Array("a".utf8))
      var framer = LineFramer(lineBytesMax: memory.bytes.count)
      for page in 1...memory.pageCount {
        let unread = UnsafeRawBufferPointer(
          rebasing: memory.bytes[..<(page * GuardedMemory.pageBytes)])
        precondition(framer.next(in: unread) == .needMore)
        // The last byte may be half of a CRLF.
        memory.forbid(pages: 0..<(page - 1))
      }
    }
  }

  /// A thread's smallest stack is room enough, for nothing calls itself.
  @Test func nestingTakesNoStack() async {
    await #expect(processExitsWith: .success) {
      var attributes = pthread_attr_t()
      pthread_attr_init(&attributes)
      pthread_attr_setstacksize(&attributes, 256 << 10)
      var thread = pthread_t()
      let status = pthread_create(
        &thread, &attributes,
        { _ in
          let count = 4 << 20
          let opening = [UInt8](repeating: UInt8(ascii: "["), count: count)
          let document = opening + [UInt8](repeating: UInt8(ascii: "]"), count: count)
          precondition(verdict(document, depthMax: .max) == nil)
          precondition(verdict(opening, depthMax: .max)?.reason == .documentEnds)
          return nil
        }, nil)
      precondition(status == 0)
      pthread_join(thread, nil)
    }
  }
}

/// Pages of memory that can be made unreadable; never given back, for its process is short-lived.
private struct GuardedMemory {
  static let pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))

  let bytes: UnsafeMutableRawBufferPointer

  var pageCount: Int { bytes.count / Self.pageBytes }

  init(pageCount: Int) {
    let count = pageCount * Self.pageBytes
    let start = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    precondition(start != MAP_FAILED)
    bytes = UnsafeMutableRawBufferPointer(start: start, count: count)
  }

  func fill(repeating pattern: [UInt8]) {
    for at in 0..<bytes.count { bytes[at] = pattern[at % pattern.count] }
  }

  func forbid(pages: Range<Int>) {
    guard !pages.isEmpty, let start = bytes.baseAddress else { return }
    let status = mprotect(
      start + pages.lowerBound * Self.pageBytes, pages.count * Self.pageBytes, PROT_NONE)
    precondition(status == 0)
  }
}

private func verdict(_ document: UnsafeMutableRawBufferPointer) -> JSONError? {
  verdict(UnsafeRawBufferPointer(document))
}

extension ClientMessage {
  fileprivate static func parse(_ line: UnsafeMutableRawBufferPointer) -> ClientMessage {
    parse(UnsafeRawBufferPointer(line))
  }
}
