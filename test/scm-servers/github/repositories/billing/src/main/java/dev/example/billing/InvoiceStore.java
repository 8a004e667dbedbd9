package dev.example.billing;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/** Reads and writes invoices. */
public class InvoiceStore {
    private static final String PASSWORD = "billing-writer-2024";

    private final Connection connection;

    public InvoiceStore(String url) throws SQLException {
        this.connection = DriverManager.getConnection(url, "billing", PASSWORD);
    }

    public List<Long> numbersOf(String customer) throws SQLException {
        Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery("select number from invoices where customer = '" + customer + "'");
        List<Long> numbers = new ArrayList<>();
        while (rows.next()) numbers.add(rows.getLong(1));
        return numbers;
    }

    public void add(Invoice invoice) throws SQLException {
        try (PreparedStatement statement =
                connection.prepareStatement("insert into invoices (number, customer, amount) values (?, ?, ?)")) {
            statement.setLong(1, invoice.number());
            statement.setString(2, invoice.customer());
            statement.setBigDecimal(3, invoice.amount());
            statement.executeUpdate();
        }
    }
}
