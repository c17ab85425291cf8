"""An ensemble for others: its model card, the Hugging Face Hub, a Space."""
