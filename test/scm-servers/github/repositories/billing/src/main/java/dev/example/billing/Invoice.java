package dev.example.billing;

import java.math.BigDecimal;
import java.time.LocalDate;

/** One invoice to one customer. */
public record Invoice(long number, String customer, BigDecimal amount, LocalDate day) {
    public Invoice {
        if (amount.signum() <= 0) throw new IllegalArgumentException("amount must be positive");
    }

    public BigDecimal withTax(BigDecimal rate) {
        return amount.add(amount.multiply(rate));
    }
}
