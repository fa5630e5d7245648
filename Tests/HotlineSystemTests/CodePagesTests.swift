import Testing

@testable import HotlineSystem

struct CodePagesTests {
  private func range(_ line: String) -> Range<UInt>? {
    CodePages.codeRange(in: Array(line.utf8))
  }

  @Test func theCodeOfAFileIsFound() {
    let line = "55d0c8400000-55d0c8d00000 r-xp 00400000 fe:00 1234     /usr/bin/hotlined"
    #expect(range(line) == 0x55d0_c840_0000..<0x55d0_c8d0_0000)
  }

  @Test(arguments: [
    "55d0c8400000-55d0c8d00000 rw-p 00400000 fe:00 1234     /usr/bin/hotlined",
    "55d0c8400000-55d0c8d00000 r--p 00400000 fe:00 1234     /usr/bin/hotlined",
    "55d0c8400000-55d0c8d00000 rwxp 00400000 fe:00 1234     /usr/bin/hotlined",
    "7ffd3d9f2000-7ffd3d9f4000 r-xp 00000000 00:00 0        [vdso]",
    "7f0000000000-7f0000001000 r-xp 00000000 00:00 0",
    "", "x", "5-4 r-xp 0 0 0 /a", "zz-4 r-xp 0 0 0 /a",
  ])
  func nothingElseIsTakenForIt(line: String) {
    #expect(range(line) == nil)
  }

  @Test func theProcessGoesOnAfterItsCodeWasReleased() {
    CodePages.release()
    #expect(range("1000-2000 r-xp 0 0 0 /a") == 0x1000..<0x2000)
  }
}
