import Glibc

/// A secret's bytes on pages of their own: not swapped out, not dumped, wiped when the last who has
/// them lets go.
///
/// Immutable, hence usable from any thread. It cannot be printed.
package final class ProtectedBytes: @unchecked Sendable {
  /// Empty where there are no bytes.
  private let memory: UnsafeMutableRawBufferPointer

  /// The bytes of all parts, one after the other, which are copied nowhere else.
  init(_ parts: UnsafeRawBufferPointer...) {
    let count = parts.reduce(0) { $0 + $1.count }
    guard count > 0 else {
      memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
      return
    }
    let pages = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let pages, pages != MAP_FAILED else {
      // As malloc(3) failing ends any Swift program.
      fatalError("no memory for a secret")
    }
    // RLIMIT_MEMLOCK may forbid it; the secret is then as safe as all else in this process.
    mlock(pages, count)
    madvise(pages, count, MADV_DONTDUMP)
    memory = UnsafeMutableRawBufferPointer(start: pages, count: count)
    var end = 0
    for part in parts {
      UnsafeMutableRawBufferPointer(rebasing: memory[end...]).copyMemory(from: part)
      end += part.count
    }
  }

  static func copy(of bytes: [UInt8]) -> ProtectedBytes {
    bytes.withUnsafeBytes { ProtectedBytes($0) }
  }

  deinit {
    guard let pages = memory.baseAddress else { return }
    explicit_bzero(pages, memory.count)
    munmap(pages, memory.count)
  }

  var count: Int { memory.count }
  /// Good as long as this is.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(memory) }

  /// The same from there on.
  func dropping(_ count: Int) -> ProtectedBytes {
    ProtectedBytes(UnsafeRawBufferPointer(rebasing: bytes.dropFirst(count)))
  }

  /// The same with ASCII letters in lower case.
  func lowercasedCopy() -> ProtectedBytes {
    let copy = ProtectedBytes(bytes)
    for index in copy.memory.indices { copy.memory[index] = lowercased(copy.memory[index]) }
    return copy
  }
}

extension ProtectedBytes: Hashable {
  /// In a time that tells nothing of where they differ.
  package static func == (left: ProtectedBytes, right: ProtectedBytes) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.memory.indices { difference |= left.memory[index] ^ right.memory[index] }
    return difference == 0
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(count) }
}

extension ProtectedBytes: CustomStringConvertible, CustomReflectable {
  package var description: String { "<secret>" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
