import Testing

@testable import SX

@Suite struct IdentityMapTests {
  @Test(arguments: [1, 8, 1 << 12]) func holdsWhatADictionaryHolds(spread: UInt64) {
    var table = IdentityMap<Int>(), expected: [UInt64: Int] = [:]
    var random = SystemRandomNumberGenerator()
    // Few keys, so that many are set again and removed while others lie behind them.
    for round in 0..<20_000 {
      let key = UInt64.random(in: 1...300, using: &random) * spread
      if Bool.random(using: &random) {
        table[key] = round
        expected[key] = round
      } else {
        table[key] = nil
        expected[key] = nil
      }
      if round % 500 == 0 { for key in 1...300 { #expect(table[UInt64(key) * spread] == expected[UInt64(key) * spread]) } }
    }
  }

  @Test func aDefaultStandsForWhatIsMissing() {
    var table = IdentityMap<Int>()
    table[7, default: 10] += 1
    table[7, default: 10] += 1
    #expect(table[7] == 12 && table[8, default: 3] == 3 && table[8] == nil)
  }
}
