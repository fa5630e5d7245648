import Glibc
import TestSupport
import Testing

@testable import HotlineSystem

@Suite struct AtomicFileTests {
  /// As it is for whoever looks, and after a crash, at any moment.
  @Test func theOldFileStandsUntilTheNewOneIsWhole() throws {
    let directory = try TemporaryDirectory()
    let path = directory("file")
    let old = Array("what was there".utf8)
    try AtomicFile.replace(path, with: old)
    var seen: [UInt8]?
    #expect(throws: FileFailure.self) {
      try AtomicFile.replace(path) { descriptor in
        Array("the n".utf8).withUnsafeBytes { #expect(AtomicFile.writeAll($0, to: descriptor)) }
        seen = try? SmallFile.read(path, bytesMax: 100).get()
        errno = ENOSPC
        return false
      }
    }
    #expect(seen == old)
    #expect(try SmallFile.read(path, bytesMax: 100).get() == old)
    // What could not be finished is gone.
    #expect(access("\(path).new-\(getpid())", F_OK) != 0)
    try AtomicFile.replace(path, with: Array("the new".utf8))
    #expect(try SmallFile.read(path, bytesMax: 100).get() == Array("the new".utf8))
  }
}
