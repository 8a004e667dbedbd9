from payments import create_app


def test_a_payment_is_found_by_its_customer(tmp_path):
    client = create_app(str(tmp_path / "test.db")).test_client()
    client.post("/payments/", json={"customer": "ada", "amount": "12.50"})

    found = client.get("/payments/?customer=ada").get_json()

    assert [payment["amount"] for payment in found] == ["12.50"]
